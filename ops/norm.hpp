#pragma once
#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/repeat.hpp"
#include "ops/square_root.hpp"
#include "ops/sum.hpp"

namespace dml {

/// Euclidean length along an axis; the gradient of a length of 0 is 0.   [a, n, b] -> [a, b]
inline Var norm(const Var& x, int axis = -1, bool keep = false) {
  return square_root(sum(square(x), axis, keep));
}

/// x / max(sum |x|, eps) along an axis. Rows of unit Euclidean length: l2_normalize.
inline Var l1_normalize(const Var& x, int axis = -1, double eps = 1e-12) {
  return x / broadcast_to(clamp_min(sum(abs(x), axis, true), eps), x.shape());
}

}  // namespace dml
