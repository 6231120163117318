#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// scale * x + shift
struct Affine {
  static constexpr const char* name = "affine";
  double scale = 1, shift = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const { return T(scale) * x + T(shift); }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T /*y*/) const { return T(scale); }
};

/// scale * x + shift of every element.   [...] -> [...]
inline Var affine(const Var& x, double scale, double shift = 0) {
  return apply(Pointwise<Affine>{{scale, shift}}, x);
}

}  // namespace dml
