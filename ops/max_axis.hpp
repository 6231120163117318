#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// Values along an axis with the places that they came from.
struct Picked {
  Var values;
  Tensor indices;  ///< i64, the shape of values: positions along the axis
};

/// The largest (smallest) element along an axis; of equal ones the first, which alone gets the
/// gradient.   [a, n, b] -> [a, b], or [a, 1, b] with keep. NaN counts as largest (smallest).
/// @throws ShapeError when the axis is absent or empty.
Picked max(const Var& x, int axis, bool keep = false);
Picked min(const Var& x, int axis, bool keep = false);

/// The largest (smallest) element along an axis; equal ones share the gradient.
Var amax(const Var& x, int axis, bool keep = false);
Var amin(const Var& x, int axis, bool keep = false);

/// The place of the largest (smallest) element along an axis, the first of equal ones.   i64
Tensor argmax(const Var& x, int axis, bool keep = false);
Tensor argmin(const Var& x, int axis, bool keep = false);

namespace kernel {
/// y, index (i64): one element per line.
inline constinit Kernel<void(const Tensor& x, const Axis& view, Tensor& y, Tensor& index)> max_axis{
    "max_axis"};
/// dx = dy / (how many equal y) where x == y, else 0.
inline constinit Kernel<void(const Tensor& x, const Tensor& y, const Axis& view, const Tensor& dy,
                             Tensor& dx)>
    amax_bwd{"amax backward"};
}  // namespace kernel

}  // namespace dml
