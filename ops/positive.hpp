#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// 1 where x > 0, else 0 (of NaN too); the gradient is 0 everywhere.
struct Positive {
  static constexpr const char* name = "positive";
  template <class T> DML_HOST_DEVICE T value(T x) const { return x > T(0) ? T(1) : T(0); }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T /*y*/) const { return T(0); }
};

/// Whether each element is above 0, as a number: for counting.   [...] -> [...]
inline Var positive(const Var& x) { return apply(Pointwise<Positive>{{}}, x.detached()); }

}  // namespace dml
