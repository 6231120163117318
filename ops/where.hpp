#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// a where the mask is not 0, b elsewhere.   All of one shape; mask: u8
/// @throws ShapeError, TypeError.
Var where(const Tensor& mask, const Var& a, const Var& b);

/// x with `value` where the mask is not 0; no gradient flows there.   mask: u8, the shape of x
Var masked_fill(const Var& x, const Tensor& mask, double value);

namespace kernel {
inline constinit Kernel<void(const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y)>
    where{"where"};
/// y = value where (mask != 0) == when, x elsewhere.
inline constinit Kernel<void(const Tensor& x, const Tensor& mask, bool when, double value,
                             Tensor& y)>
    masked_fill{"masked_fill"};
}  // namespace kernel

}  // namespace dml
