#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace dml {

/// The spectrum that rho compares with a uniform one: singular values (descending) without the
/// |mode| - 1 largest (mode 0: all), divided by their sum.
std::vector<double> normalised_spectrum(std::span<const double> singular_values, std::int64_t mode);

/// KL(uniform || spectrum) for mode > 0, KL(spectrum || uniform) for mode < 0 (Roth et al., ICML
/// 2020, section 5). Infinite for mode > 0 when a value is 0; NaN when nothing is left.
double rho_spectrum(std::span<const double> singular_values, std::int64_t mode);

}  // namespace dml
