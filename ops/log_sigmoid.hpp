#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|)), without overflow or cancellation.
struct LogSigmoid {
  static constexpr const char* name = "log_sigmoid";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::exp, std::log1p;
    return x < T(0) ? x - log1p(exp(x)) : -log1p(exp(-x));
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    using std::exp;
    if (x < T(0)) return 1 / (1 + exp(x));
    const T e = exp(-x);
    return e / (1 + e);
  }
};

/// LogSigmoid of every element.   [...] -> [...]
inline Var log_sigmoid(const Var& x) { return apply(Pointwise<LogSigmoid>{{}}, x); }

}  // namespace dml
