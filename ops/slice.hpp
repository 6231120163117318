#pragma once
#include <vector>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// Every step-th slice of an axis from `first` up to but without `last`.
/// @param last  negative values of first and last count from the end; both are cut to the axis.
/// @throws ShapeError when the axis is absent; UsageError when step is not positive.
Var slice(const Var& x, int axis, std::int64_t first, std::int64_t last, std::int64_t step = 1);

/// Tensors one after the other along an axis. Channel slices of maps that are written in place by
/// the op before are cheaper (concat_channels).
/// @throws ShapeError when there are none or another axis differs.
Var concat(const std::vector<Var>& parts, int axis);

/// Tensors of one shape as the slices of a new axis.   k of [a, b] -> [k, a, b] for axis 0
Var stack(const std::vector<Var>& parts, int axis);

/// n consecutive equal parts of an axis. @throws ShapeError when n does not divide its length.
std::vector<Var> split(const Var& x, int axis, std::int64_t n);

namespace kernel {
/// y[o, i, k] = x[o, first + i step, k], n slices; view is that of x.
inline constinit Kernel<void(const Tensor& x, const Axis& view, std::int64_t first,
                             std::int64_t step, std::int64_t n, Tensor& y)>
    slice{"slice"};
/// y[o, first + i step, k] = x[o, i, k], n slices; view is that of y, whose rest stays as it is.
inline constinit Kernel<void(const Tensor& x, const Axis& view, std::int64_t first,
                             std::int64_t step, std::int64_t n, Tensor& y)>
    unslice{"unslice"};
}  // namespace kernel

}  // namespace dml
