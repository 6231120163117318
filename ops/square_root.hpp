#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// sqrt(x) with a finite slope at 0: there the slope is 0, as PyTorch has it for norms, distances
/// and standard deviations (power(x, 0.5) has the infinite one).
struct SquareRoot {
  static constexpr const char* name = "square_root";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::sqrt;
    return sqrt(x);
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T y) const {
    return y == T(0) ? T(0) : T(0.5) / y;
  }
};

/// SquareRoot of every element.   [...] -> [...]
inline Var square_root(const Var& x) { return apply(Pointwise<SquareRoot>{{}}, x); }

}  // namespace dml
