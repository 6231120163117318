#pragma once
#include <array>
#include <vector>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Which axis of x becomes which axis of y: y's axis i is x's axis order[i].
struct Permutation {
  static constexpr int most = 6;  ///< dimensions
  int rank = 0;
  std::array<int, most> order{};
};

/// x with its axes in another order, packed.   [a, b, c] with {2, 0, 1} -> [c, a, b]
/// @throws ShapeError when order is no permutation of x's axes or there are more than 6.
Var permute(const Var& x, const std::vector<int>& order);

/// x with two axes exchanged. Products of matrices take transposed operands as they are (matmul).
Var transpose(const Var& x, int a = -2, int b = -1);

namespace kernel {
inline constinit Kernel<void(const Tensor& x, const Permutation& permutation, Tensor& y)> permute{
    "permute"};
}  // namespace kernel

}  // namespace dml
