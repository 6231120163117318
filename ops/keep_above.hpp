#pragma once
#include <limits>

#include "ops/pointwise.hpp"

namespace dml {

/// x where it is at least `bound`, minus infinity elsewhere: what a log-sum-exp leaves out.
struct KeepAbove {
  static constexpr const char* name = "keep_above";
  double bound = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const {
    return x >= T(bound) ? x : -std::numeric_limits<T>::infinity();
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x >= T(bound) ? T(1) : T(0);
  }
};

/// KeepAbove of every element.   [...] -> [...]
inline Var keep_above(const Var& x, double bound) {
  return apply(Pointwise<KeepAbove>{{bound}}, x);
}

}  // namespace dml
