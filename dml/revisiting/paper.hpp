#pragma once

namespace dml::revisiting {

/// What samplers and metrics of that study name as their source.
inline constexpr const char* paper =
    "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep Metric "
    "Learning, ICML 2020";

}  // namespace dml::revisiting
