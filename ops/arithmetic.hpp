#pragma once
#include "ops/add.hpp"
#include "ops/affine.hpp"
#include "ops/divide.hpp"
#include "ops/multiply.hpp"
#include "ops/power.hpp"
#include "ops/subtract.hpp"

namespace dml {

/// Elementwise, of equal shapes (nothing broadcasts: see broadcast_to), and with numbers.
inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return subtract(a, b); }
inline Var operator*(const Var& a, const Var& b) { return multiply(a, b); }
inline Var operator/(const Var& a, const Var& b) { return divide(a, b); }
inline Var operator+(const Var& a, double b) { return affine(a, 1, b); }
inline Var operator-(const Var& a, double b) { return affine(a, 1, -b); }
inline Var operator*(const Var& a, double b) { return affine(a, b); }
inline Var operator/(const Var& a, double b) { return affine(a, 1 / b); }
inline Var operator+(double a, const Var& b) { return affine(b, 1, a); }
inline Var operator-(double a, const Var& b) { return affine(b, -1, a); }
inline Var operator*(double a, const Var& b) { return affine(b, a); }
inline Var operator/(double a, const Var& b) { return affine(power(b, -1), a); }
inline Var operator-(const Var& a) { return affine(a, -1); }

}  // namespace dml
