#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// An axis of length 1 repeated to length n.   [a, 1, b] -> [a, n, b]
/// The gradient is the sum over the axis.
/// @throws ShapeError when the axis is absent or not of length 1, or n is negative.
Var repeat(const Var& x, int axis, std::int64_t n);

/// x with the shape `to` by the rules of PyTorch: shapes are aligned at their ends, missing leading
/// axes are added, axes of length 1 are repeated.   [3, 1] to [2, 3, 4]
/// @throws ShapeError when a longer axis differs.
Var broadcast_to(const Var& x, const Shape& to);

namespace kernel {
/// y[o, i, k] = scale * x[o, k] for all i of the axis.
inline constinit Kernel<void(const Tensor& x, const Axis& view, double scale, Tensor& y)> repeat{
    "repeat"};
}  // namespace kernel

}  // namespace dml
