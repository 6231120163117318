#pragma once
#include "engine/check.hpp"

namespace dml {

/// Keeps triplets with atan(|a - p| / (2 |n - (a + p) / 2|)) > angle, where 1e-6 is added to every
/// component of the differences. By the median of a triangle,
/// |n - (a + p) / 2|^2 = |n - a|^2 / 2 + |n - p|^2 / 2 - |a - p|^2 / 4.
struct AngularRule {
  double bound = -1;  ///< 4 tan(angle)^2; negative: no such rule
  double dim = 0;     ///< of the embeddings

  /// @param ap, an, pn  squared distances.
  /// @param a, p, n     sums of the components.
  DML_HOST_DEVICE bool keeps(double ap, double an, double pn, double a, double p, double n) const {
    constexpr double added = 1e-6;
    const double constant = dim * added * added;
    const double side = ap + 2 * added * (a - p) + constant;
    const double median = 0.5 * (an + 2 * added * (n - a) + constant) +
                          0.5 * (pn + 2 * added * (n - p) + constant) - 0.25 * ap;
    return side > bound * (median > 0 ? median : 0);
  }
};

}  // namespace dml
