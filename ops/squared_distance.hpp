#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Squared Euclidean distance of every row of a to every row of b, from the differences (exact for
/// near rows).   [n, d], [m, d] -> [n, m]
/// @throws ShapeError when the shapes do not fit.
Var squared_distance(const Var& a, const Var& b);

namespace kernel {
inline constinit Kernel<void(const Tensor& a, const Tensor& b, Tensor& y)> squared_distance_fwd{
    "squared_distance"};
/// da[i] = 2 sum_j dy[i, j] (a[i] - b[j]); with `transposed`, dy is [m, n] and dy[j, i] is read.
inline constinit Kernel<void(const Tensor& a, const Tensor& b, const Tensor& dy, bool transposed,
                             Tensor& da)>
    squared_distance_bwd{"squared_distance backward"};
}  // namespace kernel

}  // namespace dml
