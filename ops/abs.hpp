#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// |x|; the slope at 0 is 0.
struct Abs {
  static constexpr const char* name = "abs";
  template <class T> DML_HOST_DEVICE T value(T x) const { return x < T(0) ? -x : x; }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
  }
};

/// |x| of every element.   [...] -> [...]
inline Var abs(const Var& x) { return apply(Pointwise<Abs>{{}}, x); }

}  // namespace dml
