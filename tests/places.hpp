#pragma once
#include <filesystem>

namespace dml::testing {

/// The folder of the source tree.
std::filesystem::path source_dir();
/// The folder of this build, where the tools lie.
std::filesystem::path build_dir();

}  // namespace dml::testing
