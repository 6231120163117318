#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// x^exponent, as std::pow; exponents 0.5, -0.5, -1, 2 and 3 without a logarithm.
struct Power {
  static constexpr const char* name = "power";
  double exponent = 1;
  template <class T> DML_HOST_DEVICE static T raise(T x, double e) {
    using std::pow, std::sqrt;
    if (e == 0) return T(1);
    if (e == 1) return x;
    if (e == 2) return x * x;
    if (e == 3) return x * x * x;
    if (e == -1) return 1 / x;
    if (e == 0.5) return sqrt(x);
    if (e == -0.5) return 1 / sqrt(x);
    return pow(x, T(e));
  }
  template <class T> DML_HOST_DEVICE T value(T x) const { return raise(x, exponent); }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return exponent == 0 ? T(0) : T(exponent) * raise(x, exponent - 1);
  }
};

/// x^exponent of every element.   [...] -> [...]
inline Var power(const Var& x, double exponent) { return apply(Pointwise<Power>{{exponent}}, x); }
/// Square root with the slope of the formula: infinite at 0 (see square_root).
inline Var sqrt(const Var& x) { return power(x, 0.5); }
/// 1 / sqrt(x)
inline Var rsqrt(const Var& x) { return power(x, -0.5); }
/// x * x
inline Var square(const Var& x) { return power(x, 2); }

}  // namespace dml
