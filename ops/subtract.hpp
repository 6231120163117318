#pragma once
#include "ops/binary.hpp"

namespace dml {

/// a - b
struct Subtract {
  static constexpr const char* name = "subtract";
  template <class T> DML_HOST_DEVICE T value(T a, T b) const { return a - b; }
  template <class T> DML_HOST_DEVICE T slope_a(T /*a*/, T /*b*/) const { return T(1); }
  template <class T> DML_HOST_DEVICE T slope_b(T /*a*/, T /*b*/) const { return T(-1); }
};

/// [...], [...] -> [...]   @throws ShapeError when the shapes differ.
inline Var subtract(const Var& a, const Var& b) { return apply_binary(Subtract{}, a, b); }

}  // namespace dml
