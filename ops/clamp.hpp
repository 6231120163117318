#pragma once
#include <limits>

#include "ops/pointwise.hpp"

namespace dml {

/// x cut to [low, high]; the gradient passes inside and at the bounds. NaN stays NaN.
struct Clamp {
  static constexpr const char* name = "clamp";
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  template <class T> DML_HOST_DEVICE T value(T x) const {
    return x < T(low) ? T(low) : x > T(high) ? T(high) : x;
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x < T(low) || x > T(high) ? T(0) : T(1);
  }
};

/// Every element cut to [low, high].   [...] -> [...]
inline Var clamp(const Var& x, double low, double high) {
  return apply(Pointwise<Clamp>{{low, high}}, x);
}
/// Every element raised to low at least.   [...] -> [...]
inline Var clamp_min(const Var& x, double low) { return apply(Pointwise<Clamp>{{.low = low}}, x); }

}  // namespace dml
