#include "dml/metric.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "engine/names.hpp"

namespace dml {
namespace {

bool is_number(const std::string& text) {
  const std::string digits = text.rfind('-', 0) == 0 ? text.substr(1) : text;
  return !digits.empty() &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool known(const std::string& name) {
  const auto& entries = Registry<Metric>::entries();
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    const auto& aliases = entry.second.about.aliases;
    const auto same = [&](const std::string& other) { return canonical(other) == canonical(name); };
    return same(entry.first) || std::any_of(aliases.begin(), aliases.end(), same);
  });
}

/// "k=5:average=classes"
Settings read_settings(const std::string& text) {
  Settings settings;
  std::istringstream stream(text);
  for (std::string one; std::getline(stream, one, ':');) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos)
      throw UsageError("metric: an option is NAME=VALUE, as in nmi:mean=geometric; found '" + one +
                       "'");
    settings[trimmed(one.substr(0, equals))] = trimmed(one.substr(equals + 1));
  }
  return settings;
}

/// The metric of a text without prefix.
std::unique_ptr<Metric> make_plain(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string name = trimmed(text.substr(0, colon));
  Settings settings;
  if (colon != std::string::npos) settings = read_settings(text.substr(colon + 1));
  const std::size_t at = name.find('@');
  // "precision@1" and "map@r" are names of their own; in "recall@4" the number is an option.
  if (known(name) || at == std::string::npos || !is_number(name.substr(at + 1)))
    return Registry<Metric>::make(name, settings, {});
  const auto& entry = Registry<Metric>::find(name.substr(0, at));
  if (entry.fields.empty())
    throw UsageError("metric '" + entry.about.name + "' takes no number behind @");
  settings[entry.fields.front().name] = name.substr(at + 1);
  return Registry<Metric>::make(entry.about.name, settings, {});
}

std::int64_t largest(std::span<const std::int64_t> numbers) {
  return numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
}

}  // namespace

std::int64_t GroundTruth::most_positives() const { return largest(positives); }
std::int64_t GroundTruth::largest_class() const { return largest(class_size); }

std::unique_ptr<Metric> make_metric(const std::string& text) {
  const std::string name = trimmed(text);
  const std::string prefix = name.substr(0, 2);
  if (prefix != "c_" && prefix != "e_") return make_plain(name);
  std::unique_ptr<Metric> metric = make_plain(name.substr(2));
  metric->distance = prefix == "c_" ? SearchDistance::cosine : SearchDistance::euclidean;
  return metric;
}

std::vector<std::unique_ptr<Metric>> make_metrics(const std::string& list) {
  std::vector<std::unique_ptr<Metric>> metrics;
  std::istringstream stream(list);
  for (std::string one; std::getline(stream, one, ',');)
    if (!trimmed(one).empty()) metrics.push_back(make_metric(one));
  return metrics;
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  std::int64_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace dml
