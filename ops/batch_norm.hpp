#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// @see batch_norm
struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< PyTorch's sense: running = (1 - momentum) running + momentum batch
  bool batch_statistics = true;  ///< false: normalise with the running statistics, leave them alone
  bool relu = false;             ///< rectify the result
};

/// The running statistics of a batch norm, updated in place in training: `variance` with the
/// unbiased variance of the batch. batches ([] i64) counts the updates; it may be undefined.
struct RunningStatistics {
  Tensor mean, variance, batches;
};

/// Batch normalisation over all but the last dimension, with an optional addend and ReLU in the
/// same pass:  y = relu((x - mean) / sqrt(var + eps) * weight + bias + add).
/// With batch_statistics, mean and (biased) variance are those of x and the running ones move.
///
/// x may be bf16: then the result and add are too, and all that is per channel stays f32.
///
/// @param x       [..., c]
/// @param weight, bias  [c], or undefined Vars (1 and 0).
/// @param add     shape of x, or an undefined Var: the shortcut of a residual block.
/// @param running may hold undefined tensors with batch_statistics: then nothing is recorded.
/// @param into    where the result goes: undefined, or a tensor of x's shape (a channel slice).
/// @throws ShapeError with batch_statistics when x has a single value per channel.
Var batch_norm(const Var& x, const Var& weight, const Var& bias, RunningStatistics& running,
               const BatchNormOptions& options, const Var& add = {}, const Tensor& into = {});

namespace kernel {
/// x, y, add and their gradients are of one type, all vectors of work_type of it.
/// Computes mean and inverse deviation of the batch into `mean`, `inv_std` ([c], f32 or f64), moves
/// the running statistics (those that are defined), and writes y. x, y and add may have a pitch;
/// weight, bias, add may be undefined.
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Tensor& add, const BatchNormOptions& options,
                             RunningStatistics& running, Tensor& mean, Tensor& inv_std, Tensor& y)>
    batch_norm_train{"batch_norm train"};
/// y from given mean and inverse deviation. x, y and add may have a pitch.
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Tensor& add, const Tensor& mean, const Tensor& inv_std,
                             bool relu, Tensor& y)>
    batch_norm_apply{"batch_norm apply"};
/// inv_std = 1 / sqrt(variance + eps)
inline constinit Kernel<void(const Tensor& variance, double eps, Tensor& inv_std)>
    inverse_deviation{"inverse_deviation"};
/// Gradients. y is read only for the ReLU's mask and undefined without relu. dx, dadd, dweight and
/// dbias are undefined when not wanted. dx may be x or dy itself, dadd may be dy itself: elements
/// are read before they are written in the same place. x, dy and y may have a pitch.
inline constinit Kernel<void(const Tensor& x, const Tensor& y, const Tensor& weight,
                             const Tensor& mean, const Tensor& inv_std,
                             const BatchNormOptions& options, const Tensor& dy, Tensor& dx,
                             Tensor& dadd, Tensor& dweight, Tensor& dbias)>
    batch_norm_bwd{"batch_norm backward"};
}  // namespace kernel

}  // namespace dml
