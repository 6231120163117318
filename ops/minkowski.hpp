#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// p-norm of the difference of every row of a and every row of b, from the differences. The sign
/// of 0 is 0, and the gradient of equal rows is 0. For p = 2 euclidean() is faster.
/// [n, d], [q, d] -> [n, q]
/// @throws ShapeError unless both are matrices of equally long rows.
Var minkowski(const Var& a, const Var& b, double p);

namespace kernel {
inline constinit Kernel<void(const Tensor& a, const Tensor& b, double p, Tensor& y)> minkowski_fwd{
    "minkowski"};
/// da_i = sum_j dy_ij dy_ij/da_i; with `transposed`, y and dy are [q, n] and read as [j, i].
inline constinit Kernel<void(const Tensor& a, const Tensor& b, double p, const Tensor& y,
                             const Tensor& dy, bool transposed, Tensor& da)>
    minkowski_bwd{"minkowski backward"};
}  // namespace kernel

}  // namespace dml
