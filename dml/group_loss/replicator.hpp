#pragma once
#include "ops/divide.hpp"
#include "ops/matmul.hpp"
#include "ops/multiply.hpp"
#include "ops/repeat.hpp"
#include "ops/sum.hpp"

namespace dml {

/// Every row divided by its sum, which must not be 0.   [n, c]
inline Var normalise_rows(const Var& x) {
  return divide(x, broadcast_to(sum(x, -1, true), x.shape()));
}

/// One step of replicator dynamics: the probability of a class grows in a row in which similar rows
/// have it.  x * (w x), every row divided by its sum.   w [n, n], x [n, c] -> [n, c]
/// One-hot rows stay as they are.
inline Var replicator_step(const Var& w, const Var& x) {
  return normalise_rows(multiply(x, matmul(w, x)));
}

}  // namespace dml
