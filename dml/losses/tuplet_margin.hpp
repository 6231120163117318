#pragma once
#include "dml/pairs/against_negatives.hpp"

namespace dml {

/// A cosine c whose angle is made smaller by a margin b: cos(theta - b) = c cos b + sqrt(1 - c^2)
/// sin b. Nothing flows through a pair that is collinear up to rounding, where that root has no
/// finite slope.
struct NearerPositive {
  static constexpr const char* name = "tuplet_margin";
  double cosine = 1, sine = 0;  ///< of the margin

  template <class T> DML_HOST_DEVICE T value(T c) const {
    using std::sqrt;
    const T rest = T(1) - c * c;
    return c * T(cosine) + (rest > T(0) ? sqrt(rest) : T(0)) * T(sine);
  }
  template <class T> DML_HOST_DEVICE T slope(T c) const {
    using std::sqrt;
    const T rest = T(1) - c * c;
    return rest < (sizeof(T) == 8 ? T(1e-12) : T(1e-6)) ? T(0)
                                                        : T(cosine) - c / sqrt(rest) * T(sine);
  }
};
using TupletMarginRow = AgainstNegatives<NearerPositive>;

}  // namespace dml
