#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// log(x + eps); the slope is 1 / (x + eps). log(0) is minus infinity.
struct Log {
  static constexpr const char* name = "log";
  double eps = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::log;
    return log(x + T(eps));
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const { return 1 / (x + T(eps)); }
};

/// log(x + eps) of every element.   [...] -> [...]
inline Var log(const Var& x, double eps = 0) { return apply(Pointwise<Log>{{eps}}, x); }

}  // namespace dml
