#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace dml {

/// A script that teaches a shell the flags, sub-commands and values of a program, made from its
/// CLI11 options. Hidden options (group "") are left out.
/// @param shell  "bash", "zsh" or "fish". @throws UsageError for others.
/// @param words  further words behind a flag.
std::string completion_script(const std::string& shell, const CLI::App& app,
                              const std::map<std::string, std::vector<std::string>>& words);

}  // namespace dml
