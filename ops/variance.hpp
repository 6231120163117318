#pragma once
#include <vector>

#include "ops/arithmetic.hpp"
#include "ops/repeat.hpp"
#include "ops/square_root.hpp"
#include "ops/sum.hpp"

namespace dml {

/// x without its mean along an axis.
inline Var centred(const Var& x, int axis) {
  return x - broadcast_to(mean(x, axis, true), x.shape());
}

/// Variance along an axis, from the differences to the mean: sum of squares / (n - 1), or / n when
/// not unbiased. An unbiased variance of one value is NaN.
inline Var variance(const Var& x, int axis, bool unbiased = true, bool keep = false) {
  const double n = static_cast<double>(axis_of(x.shape(), axis, "variance").length);
  return sum(square(centred(x, axis)), axis, keep) / (unbiased ? n - 1 : n);
}

/// Square root of the variance; where it is 0 the gradient is 0.
inline Var standard_deviation(const Var& x, int axis, bool unbiased = true, bool keep = false) {
  return square_root(variance(x, axis, unbiased, keep));
}

}  // namespace dml
