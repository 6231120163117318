#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/max_axis.hpp"

namespace dml {

/// The k largest (or smallest) elements along an axis, best first; of equal ones the lower index
/// first. NaN counts as largest.   [a, n, b] -> [a, k, b]
/// @throws ShapeError when the axis is absent or shorter than k.
Picked topk(const Var& x, std::int64_t k, int axis = -1, bool largest = true);

namespace kernel {
/// y, index (i64): k per line, at the place of the line in a view of length k.
inline constinit Kernel<void(const Tensor& x, const Axis& view, std::int64_t k, bool largest,
                             Tensor& y, Tensor& index)>
    topk{"topk"};
}  // namespace kernel

}  // namespace dml
