#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Every row divided by max(its p-norm, eps). A row of zeros stays, and its gradient is 0; no
/// finite row overflows on the way.   [n, d] -> [n, d]
/// @throws ShapeError when x has not two dimensions.
Var unit_rows(const Var& x, double p = 2, double eps = 1e-12);

namespace kernel {
/// divisor [n]: what every row was divided by; 0 for a row of zeros.
inline constinit Kernel<void(const Tensor& x, double p, double eps, Tensor& y, Tensor& divisor)>
    unit_rows_fwd{"unit_rows"};
inline constinit Kernel<void(const Tensor& y, const Tensor& divisor, double p, double eps,
                             const Tensor& dy, Tensor& dx)>
    unit_rows_bwd{"unit_rows backward"};
}  // namespace kernel

namespace unit {

/// |x|^p
template <class T> DML_HOST_DEVICE T magnitude(T x, double p) {
  using std::abs, std::pow;
  const T a = abs(x);
  return p == 2 ? a * a : p == 1 ? a : pow(a, T(p));
}
/// a^(1/p)
template <class T> DML_HOST_DEVICE T root(T a, double p) {
  using std::pow, std::sqrt;
  return p == 2 ? sqrt(a) : p == 1 ? a : pow(a, T(1 / p));
}
/// d||y|| / dy_k of a row of norm 1: sign(y) |y|^(p - 1)
template <class T> DML_HOST_DEVICE T direction(T y, double p) {
  using std::abs, std::pow;
  if (p == 2) return y;
  const T sign = T((y > T(0)) - (y < T(0)));
  return p == 1 ? sign : sign * pow(abs(y), T(p - 1));
}

}  // namespace unit
}  // namespace dml
