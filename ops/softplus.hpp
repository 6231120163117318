#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// log(1 + exp(x)) without overflow; the identity above 20 (as PyTorch's softplus).
struct Softplus {
  static constexpr const char* name = "softplus";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::exp, std::log1p;
    return x > T(20) ? x : log1p(exp(x));
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    using std::exp;
    return x > T(20) ? T(1) : 1 / (1 + exp(-x));
  }
};

/// log(1 + exp(x)) of every element.
inline Var softplus(const Var& x) { return apply(Pointwise<Softplus>{{}}, x); }

}  // namespace dml
