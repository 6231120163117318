#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Inner products of every row with every row, x x^T; its gradient (G + G^T) x takes one matrix
/// product where matmul(x, x) takes two.   [n, d] -> [n, n]
/// @throws ShapeError when x has not two dimensions.
Var self_product(const Var& x);

namespace kernel {
/// y = x x^T, the same bits above and below the diagonal in the cpu kernel, which computes little
/// more than one half.   [n, d] -> [n, n], both packed
inline constinit Kernel<void(const Tensor& x, Tensor& y)> self_product{"self product"};
/// y = x + x^T; y may be x.   [n, n], packed
inline constinit Kernel<void(const Tensor& x, Tensor& y)> add_transposed{"add transposed"};
}  // namespace kernel

}  // namespace dml
