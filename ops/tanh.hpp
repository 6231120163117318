#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// Hyperbolic tangent.
struct Tanh {
  static constexpr const char* name = "tanh";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::tanh;
    return tanh(x);
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T y) const { return 1 - y * y; }
};

/// Tanh of every element.   [...] -> [...]
inline Var tanh(const Var& x) { return apply(Pointwise<Tanh>{{}}, x); }

}  // namespace dml
