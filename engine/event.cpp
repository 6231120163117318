#include "engine/event.hpp"

#include <algorithm>
#include <chrono>

namespace dml {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

double figure(const Figures& figures, const std::string& name, double fallback) {
  for (const auto& [known, value] : figures)
    if (known == name) return value;
  return fallback;
}

void Histogram::add(double value) {
  const auto limit = std::lower_bound(limits.begin(), limits.end(), value);
  if (limit != limits.end()) ++counts[static_cast<std::size_t>(limit - limits.begin())];
  min = count == 0 ? value : std::min(min, value);
  max = count == 0 ? value : std::max(max, value);
  sum += value;
  sum_squares += value * value;
  ++count;
}

Events::Events() : start_(now()) {}

void Events::emit(const Event& event) {
  const double seconds = now() - start_;
  for (const auto& sink : sinks_) sink->on(event, seconds);
}

}  // namespace dml
