#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// x above 0, negative_slope * x at and below it.
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  double negative_slope = 0.01;
  template <class T> DML_HOST_DEVICE T value(T x) const {
    return x > T(0) ? x : T(negative_slope) * x;
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x > T(0) ? T(1) : T(negative_slope);
  }
};

/// LeakyRelu of every element.   [...] -> [...]
inline Var leaky_relu(const Var& x, double negative_slope = 0.01) {
  return apply(Pointwise<LeakyRelu>{{negative_slope}}, x);
}

}  // namespace dml
