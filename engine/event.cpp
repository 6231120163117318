#include "engine/event.hpp"

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

Events::Events() : start_(now()) {}

void Events::emit(const Event& event) {
  const double seconds = now() - start_;
  for (const auto& sink : sinks_) sink->on(event, seconds);
}

}  // namespace dml
