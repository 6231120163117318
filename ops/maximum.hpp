#pragma once
#include "ops/binary.hpp"

namespace dml {

/// The larger of a and b; where they are equal, each gets half of the gradient.
struct Maximum {
  static constexpr const char* name = "maximum";
  template <class T> DML_HOST_DEVICE T value(T a, T b) const { return a < b ? b : a; }
  template <class T> DML_HOST_DEVICE T slope_a(T a, T b) const {
    return a > b ? T(1) : a < b ? T(0) : T(0.5);
  }
  template <class T> DML_HOST_DEVICE T slope_b(T a, T b) const {
    return a > b ? T(0) : a < b ? T(1) : T(0.5);
  }
};

/// [...], [...] -> [...]   @throws ShapeError when the shapes differ.
inline Var maximum(const Var& a, const Var& b) { return apply_binary(Maximum{}, a, b); }

}  // namespace dml
