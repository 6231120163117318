#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace dml {

/// A section of a manual: its heading and its text as it stands.
using ManualSection = std::pair<std::string, std::string>;

/// The manual page (roff, section 1) of a program, made from its CLI11 options: what `man` shows.
/// Hidden options (group "") are left out. The same program gives the same bytes.
/// @param sections  further text, between the options and the exit status.
std::string manual_page(const CLI::App& app, const std::string& version,
                        const std::vector<std::string>& examples,
                        const std::vector<ManualSection>& sections);

}  // namespace dml
