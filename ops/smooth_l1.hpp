#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// x^2 / 2 up to |x| = 1, |x| - 1/2 beyond: the smooth absolute value (Girshick, ICCV 2015).
struct SmoothL1 {
  static constexpr const char* name = "smooth_l1";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    const T size = x < T(0) ? -x : x;
    return size < T(1) ? T(0.5) * x * x : size - T(0.5);
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x < T(-1) ? T(-1) : x > T(1) ? T(1) : x;
  }
};

/// SmoothL1 of every element.   [...] -> [...]
inline Var smooth_l1(const Var& x) { return apply(Pointwise<SmoothL1>{{}}, x); }

}  // namespace dml
