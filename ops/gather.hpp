#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// Elements picked along an axis:  y[.., i, ..] = x[.., index[.., i, ..], ..].
/// Elements picked twice collect both gradients.
/// @param index  i64, the shape of x but for the axis.   @return the shape of index
/// @throws ShapeError when the shapes do not fit and, on the host, for an index outside the axis.
Var gather(const Var& x, int axis, const Tensor& index);

/// x with src added along an axis:  y = x;  y[.., index[.., i, ..], ..] += src[.., i, ..].
/// @param index  i64, the shape of src; both have the shape of x but for the axis.
Var scatter_add(const Var& x, int axis, const Tensor& index, const Var& src);

/// Whole slices picked along an axis:  y[.., i, ..] = x[.., index[i], ..].   index: [m] i64
Var index_select(const Var& x, int axis, const Tensor& index);

/// x with slices added along an axis:  y = x;  y[.., index[i], ..] += src[.., i, ..].
Var index_add(const Var& x, int axis, const Tensor& index, const Var& src);

/// The elements whose mask is not 0, in row-major order.   [...] -> [count]
/// Their number is decided on the host: this op waits for the device and cannot be part of a
/// captured step. @param mask  u8, the shape of x.
Var boolean_select(const Var& x, const Tensor& mask);

namespace kernel {
/// view: that of the tensor that is picked from or added to; index may repeat. Sums are made in the
/// order of index, so that they repeat bit for bit. y is added to, not cleared.
inline constinit Kernel<void(const Tensor& x, const Axis& view, const Tensor& index, Tensor& y)>
    gather{"gather"};
inline constinit Kernel<void(const Tensor& src, const Axis& view, const Tensor& index, Tensor& y)>
    scatter_add{"scatter_add"};
inline constinit Kernel<void(const Tensor& x, const Axis& view, const Tensor& index, Tensor& y)>
    index_select{"index_select"};
inline constinit Kernel<void(const Tensor& src, const Axis& view, const Tensor& index, Tensor& y)>
    index_add{"index_add"};
}  // namespace kernel

}  // namespace dml
