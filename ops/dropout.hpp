#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Sets each element to zero with probability p and divides the others by 1 - p. On a tape that
/// does not train, and for p = 0, x itself. The mask is a pure function of the tape's random stream
/// and of how many ops drew from it before: the same on every backend.
/// @throws UsageError unless 0 <= p < 1.
Var dropout(const Var& x, double p);

namespace kernel {
/// mask[i] = 1 / (1 - p) where random.uniform_float(i) >= p, else 0.
inline constinit Kernel<void(double p, const Random& random, Tensor& mask)> dropout_mask{
    "dropout_mask"};
}  // namespace kernel

}  // namespace dml
