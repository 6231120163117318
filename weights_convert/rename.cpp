#include "weights_convert/rename.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "engine/error.hpp"
#include "engine/file.hpp"

namespace dml::weights {
namespace {

/// The text of a value, or an error that names its place.
std::string text_of(const toml::node& node, const std::string& source) {
  if (const auto text = node.value<std::string>()) return *text;
  const toml::source_position at = node.source().begin;
  throw FormatError(
      fmt::format("{}:{}:{}: names of tensors are texts in quotes", source, at.line, at.column));
}

bool begins(const std::string& name, const std::string& part) { return name.rfind(part, 0) == 0; }

}  // namespace

Renaming Renaming::read(const std::filesystem::path& file) {
  Renaming rules;
  rules.source_ = file.string();
  toml::table table;
  try {
    std::istringstream text(read_file(file));
    table = toml::parse(text, rules.source_);
  } catch (const toml::parse_error& error) {
    throw FormatError(fmt::format("{}:{}:{}: {}", rules.source_, error.source().begin.line,
                                  error.source().begin.column, error.description()));
  }
  for (const auto& [key, node] : table) {
    if (key == "drop" && node.is_array()) {
      for (const toml::node& one : *node.as_array())
        rules.drop_.push_back(text_of(one, rules.source_));
    } else if (key == "rename" && node.is_table()) {
      for (const auto& [from, to] : *node.as_table())
        rules.rename_.emplace_back(std::string(from.str()), text_of(to, rules.source_));
    } else {
      throw FormatError(
          fmt::format("{}:{}: wanted drop = [\"...\"] or a table [rename], found '{}'",
                      rules.source_, node.source().begin.line, key.str()));
    }
  }
  // The longest first, so that the first that fits counts.
  std::stable_sort(rules.rename_.begin(), rules.rename_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  return rules;
}

NamedTensors Renaming::apply(NamedTensors tensors) const {
  NamedTensors result;
  std::set<std::string> used, taken;
  for (auto& one : tensors) {
    const std::string& name = one.first;
    const auto dropped = std::find_if(drop_.begin(), drop_.end(),
                                      [&](const std::string& part) { return begins(name, part); });
    if (dropped != drop_.end()) {
      used.insert(*dropped);
      continue;
    }
    const auto rule = std::find_if(rename_.begin(), rename_.end(),
                                   [&](const auto& pair) { return begins(name, pair.first); });
    std::string now = name;
    if (rule != rename_.end()) {
      used.insert(rule->first);
      now = rule->second + name.substr(rule->first.size());
    }
    if (!taken.insert(now).second)
      throw FormatError(fmt::format("{}: two tensors would be called '{}'; one of them is '{}'",
                                    source_, now, name));
    result.emplace_back(std::move(now), std::move(one.second));
  }
  std::vector<std::string> all = drop_;
  for (const auto& [from, to] : rename_) all.push_back(from);
  for (const std::string& rule : all)
    if (!used.contains(rule))
      throw UsageError(
          fmt::format("{}: no tensor's name begins with '{}'  (convert_weights FILE "
                      "--list)",
                      source_, rule));
  return result;
}

}  // namespace dml::weights
