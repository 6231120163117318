#include "dml/metric.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace dml {
namespace {

std::string trimmed(const std::string& text) {
  const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto first = std::find_if_not(text.begin(), text.end(), blank);
  const auto last = std::find_if_not(text.rbegin(), text.rend(), blank).base();
  return first < last ? std::string(first, last) : std::string();
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool known(const std::string& name) {
  const auto& entries = Registry<Metric>::entries();
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    const auto& aliases = entry.second.about.aliases;
    const auto same = [&](const std::string& other) { return canonical(other) == canonical(name); };
    return same(entry.first) || std::any_of(aliases.begin(), aliases.end(), same);
  });
}

}  // namespace

std::unique_ptr<Metric> make_metric(const std::string& text) {
  const std::string name = trimmed(text);
  const std::size_t at = name.find('@');
  // "precision@1" and "map@r" are names of their own; in "recall@4" the number is an option.
  if (!known(name) && at != std::string::npos && is_number(name.substr(at + 1)))
    return Registry<Metric>::make(name.substr(0, at), {{"k", name.substr(at + 1)}}, {});
  return Registry<Metric>::make(name, {}, {});
}

std::vector<std::unique_ptr<Metric>> make_metrics(const std::string& list) {
  std::vector<std::unique_ptr<Metric>> metrics;
  std::istringstream stream(list);
  for (std::string one; std::getline(stream, one, ',');)
    if (!trimmed(one).empty()) metrics.push_back(make_metric(one));
  return metrics;
}

}  // namespace dml
