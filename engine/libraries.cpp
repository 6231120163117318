#include "engine/libraries.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace dml {
namespace {

std::map<std::string, std::string>& versions() {
  static std::map<std::string, std::string> all;
  return all;
}

const bool fmt_noted = note_library("fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000,
                                                       FMT_VERSION / 100 % 100, FMT_VERSION % 100));
const bool json_noted = note_library(
    "nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                 NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH));

}  // namespace

const std::map<std::string, std::string>& library_versions() { return versions(); }

bool note_library(const std::string& name, const std::string& version) {
  versions()[name] = version;
  return true;
}

}  // namespace dml
