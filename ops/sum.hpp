#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// Sum over one axis.   [a, n, b] -> [a, b], or [a, 1, b] with keep. An axis of length 0 gives 0.
/// @param axis  negative counts from the end.
/// @throws ShapeError when x has no such axis.
Var sum(const Var& x, int axis, bool keep = false);
/// Sum of all elements.   [...] -> []
Var sum(const Var& x);

/// Mean over one axis, over all elements. Of nothing it is NaN.
Var mean(const Var& x, int axis, bool keep = false);
Var mean(const Var& x);

namespace kernel {
/// y = scale * sum over the lines of x. f32 lines are added in f64 and rounded once.
inline constinit Kernel<void(const Tensor& x, const Axis& view, double scale, Tensor& y)> sum{
    "sum"};
}  // namespace kernel

}  // namespace dml
