#pragma once
#include "ops/binary.hpp"

namespace dml {

/// a * b
struct Multiply {
  static constexpr const char* name = "multiply";
  template <class T> DML_HOST_DEVICE T value(T a, T b) const { return a * b; }
  template <class T> DML_HOST_DEVICE T slope_a(T /*a*/, T b) const { return b; }
  template <class T> DML_HOST_DEVICE T slope_b(T a, T /*b*/) const { return a; }
};

/// [...], [...] -> [...]   @throws ShapeError when the shapes differ.
inline Var multiply(const Var& a, const Var& b) { return apply_binary(Multiply{}, a, b); }

}  // namespace dml
