#pragma once
#include <limits>

#include "ops/pointwise.hpp"

namespace dml {

/// 0 above a threshold, minus infinity at and below it: added to scores, it takes entries out of a
/// softmax without a value being read on the host. No gradient passes.
struct Barrier {
  static constexpr const char* name = "barrier";
  double threshold = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const {
    return x > T(threshold) ? T(0) : -std::numeric_limits<T>::infinity();
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T /*y*/) const { return T(0); }
};

/// Barrier of every element.   [...] -> [...]
inline Var barrier(const Var& x, double threshold) {
  return apply(Pointwise<Barrier>{{threshold}}, x);
}

}  // namespace dml
