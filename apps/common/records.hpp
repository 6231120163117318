#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace dml {

/// An object as text for files and --json: indented by two. Names of files that are no UTF-8 are
/// written with replacement characters, so that it always parses.
std::string json_text(const nlohmann::ordered_json& json);

/// A text as a cell of a CSV file, in quotes.
std::string csv_cell(const std::string& text);

}  // namespace dml
