#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// 1 / (1 + exp(-x)); exact at both saturated ends.
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::exp;
    if (x >= T(0)) return 1 / (1 + exp(-x));
    const T e = exp(x);
    return e / (1 + e);
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T y) const { return y * (1 - y); }
};

/// Sigmoid of every element.   [...] -> [...]
inline Var sigmoid(const Var& x) { return apply(Pointwise<Sigmoid>{{}}, x); }

}  // namespace dml
