#pragma once
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/matmul.hpp"
#include "ops/norm.hpp"
#include "ops/permute.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/square_root.hpp"
#include "ops/squared_distance.hpp"
#include "ops/sum.hpp"

namespace dml {

/// Squared distances by one matrix product: |a|^2 + |b|^2 - 2 a b^T, not clamped. Fast, but the
/// squares cancel for near rows: use squared_distance where they matter.   [n, d], [m, d] -> [n, m]
inline Var squared_distance_by_product(const Var& a, const Var& b) {
  const Shape shape{a.dim(0), b.dim(0)};
  const Var aa = broadcast_to(sum(square(a), 1, true), shape);
  const Var bb = broadcast_to(reshape(sum(square(b), 1), {1, b.dim(0)}), shape);
  return aa + bb - 2.0 * matmul(a, b, {.a = false, .b = true});
}

/// Euclidean distance of every row of a to every row of b.   [n, d], [m, d] -> [n, m]
/// The gradient of a distance of 0 is 0.
inline Var distance(const Var& a, const Var& b) { return square_root(squared_distance(a, b)); }

/// The same by one matrix product: sqrt(max(0, |a|^2 + |b|^2 - 2 a b^T)).
inline Var distance_by_product(const Var& a, const Var& b) {
  return square_root(clamp_min(squared_distance_by_product(a, b), 0));
}

/// Distance of each row of a to the same row of b:  || a - b + eps ||, eps added to every
/// coordinate as PyTorch's pairwise_distance does.   [n, d], [n, d] -> [n]
inline Var pairwise_distance(const Var& a, const Var& b, double eps = 1e-6) {
  return norm(a - b + eps, -1);
}

}  // namespace dml
