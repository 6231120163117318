#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Which operands of a matrix product are read transposed.
struct Transpose {
  bool a = false;
  bool b = false;
};

/// Matrix product op(a) op(b).   [m, k] x [k, n] -> [m, n], or with one or more equal leading
/// batch dimensions [.., m, k] x [.., k, n]. Operands may have a row pitch.
/// @param products  bf16: f32 operands, and the gradient in the backward pass, are rounded to bf16
///                  before they are multiplied; sums and results stay f32. Other types stay exact.
/// @throws ShapeError when inner sizes or batch dimensions differ.
Var matmul(const Var& a, const Var& b, Transpose transpose = {}, DType products = DType::f32);

/// y = x w^T + bias.   x [..., in], weight [out, in], bias [out] or an undefined Var -> [..., out]
/// @param products  as in matmul(); the bias and its gradient are not rounded
Var linear(const Var& x, const Var& weight, const Var& bias, DType products = DType::f32);

namespace kernel {
/// y = alpha op(a) op(b) + beta y; a, b, y are [m, k], [k, n], [m, n] or batched [g, ., .]; any may
/// have a row pitch. With beta 0, y is not read. a and b of bf16 may give y in f32.
inline constinit Kernel<void(const Tensor& a, const Tensor& b, Transpose transpose, double alpha,
                             double beta, Tensor& y)>
    matmul{"matmul"};
/// y[r, :] += bias for every row; y is packed.
inline constinit Kernel<void(const Tensor& bias, Tensor& y)> add_bias{"linear bias"};
/// sum [c] = sum of the rows of x; x may have a pitch.
inline constinit Kernel<void(const Tensor& x, Tensor& sum)> sum_rows{"linear bias gradient"};
}  // namespace kernel

}  // namespace dml
