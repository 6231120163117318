#pragma once
#include "engine/kernel.hpp"

namespace dml {

/// What a normalisation with running statistics does to the channels of a convolution.
struct FoldedNorm {
  Tensor weight;  ///< as the convolution's
  Tensor bias;    ///< [k]
};

/// A convolution with the batch norm that follows it folded in. With s = gamma / sqrt(var + eps):
///   weight' = s weight      bias' = beta + s (bias - mean)
///
/// @param weight  [k, ...]
/// @param bias    [k] of the convolution, or undefined (0).
/// @param gamma, beta, mean, variance  [k] of the batch norm.
FoldedNorm fold_norm(Device& device, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
                     const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps);

namespace kernel {
/// All packed; bias may be undefined.
inline constinit Kernel<void(const Tensor& weight, const Tensor& bias, const Tensor& gamma,
                             const Tensor& beta, const Tensor& mean, const Tensor& variance,
                             double eps, Tensor& out_weight, Tensor& out_bias)>
    fold_norm{"fold_norm"};
}  // namespace kernel

}  // namespace dml
