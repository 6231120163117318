#pragma once
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/subtract.hpp"
#include "ops/sum.hpp"

namespace dml {

/// Correlation of the rows of x, cut at zero:  W[i, j] = max(0, corr(x[i], x[j])), the diagonal
/// being 1. Every row is centred by its own mean. Where the correlation is 0 or below, no gradient
/// passes.   [n, d] -> [n, n]
/// A row whose elements are all equal has no correlation: its row and column are NaN.
inline Var pearson_similarity(const Var& x) {
  const Var centred = subtract(x, broadcast_to(mean(x, -1, true), x.shape()));
  const Var unit = l2_normalize(centred, 0);
  return relu(matmul(unit, unit, {.b = true}));
}

}  // namespace dml
