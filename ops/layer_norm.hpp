#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Layer normalisation over the last dimensions, those of weight:
///   y = (x - mean) / sqrt(variance + eps) * weight + bias,   the variance being the biased one.
/// @param x             [..., normalised dimensions]
/// @param weight, bias  the normalised dimensions, or undefined Vars: then the last one alone is
///                      normalised.
/// @throws ShapeError when weight is no tail of x's shape.
Var layer_norm(const Var& x, const Var& weight, const Var& bias, double eps = 1e-5);

namespace kernel {
/// Over the rows of x [n, d], without weight and bias; inv_std: [n].
inline constinit Kernel<void(const Tensor& x, double eps, Tensor& y, Tensor& inv_std)>
    layer_norm_fwd{"layer_norm"};
inline constinit Kernel<void(const Tensor& y, const Tensor& inv_std, const Tensor& dy, Tensor& dx)>
    layer_norm_bwd{"layer_norm backward"};
}  // namespace kernel

}  // namespace dml
