#pragma once
#include "ops/binary.hpp"

namespace dml {

/// a / b
struct Divide {
  static constexpr const char* name = "divide";
  template <class T> DML_HOST_DEVICE T value(T a, T b) const { return a / b; }
  template <class T> DML_HOST_DEVICE T slope_a(T /*a*/, T b) const { return 1 / b; }
  template <class T> DML_HOST_DEVICE T slope_b(T a, T b) const { return -a / (b * b); }
};

/// [...], [...] -> [...]   @throws ShapeError when the shapes differ.
inline Var divide(const Var& a, const Var& b) { return apply_binary(Divide{}, a, b); }

}  // namespace dml
