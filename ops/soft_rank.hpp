#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// The smooth rank of chosen entries within their row:
/// r_i = 1 + sum over j != i of sigmoid((s_j - s_i) / temperature) where chosen_i > 0, else 0.
/// Takes time for every chosen entry, and memory of the size of s alone.
/// @param chosen  [n, q] f32; @param temperature  above 0   s [n, q] -> [n, q]
/// @throws ShapeError when the shapes differ.
Var soft_rank(const Var& s, const Tensor& chosen, double temperature);

/// sigmoid(x) without overflow.
template <class T> DML_HOST_DEVICE T smooth_step(T x) {
  using std::exp;
  return 1 / (1 + exp(-x));
}

namespace kernel {
inline constinit Kernel<void(const Tensor& s, const Tensor& chosen, double temperature, Tensor& r)>
    soft_rank_fwd{"soft_rank"};
inline constinit Kernel<void(const Tensor& s, const Tensor& chosen, double temperature,
                             const Tensor& dr, Tensor& ds)>
    soft_rank_bwd{"soft_rank backward"};
}  // namespace kernel

}  // namespace dml
