#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// max(x, 0); the slope at 0 is 0. NaN stays NaN.
struct Relu {
  static constexpr const char* name = "relu";
  template <class T> DML_HOST_DEVICE T value(T x) const { return x <= T(0) ? T(0) : x; }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const { return x <= T(0) ? T(0) : T(1); }
};

/// Relu of every element.   [...] -> [...]
inline Var relu(const Var& x) { return apply(Pointwise<Relu>{{}}, x); }

}  // namespace dml
