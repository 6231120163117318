#pragma once
#include "ops/arithmetic.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/sum.hpp"
#include "ops/variance.hpp"

namespace dml {

/// Cosine of every row of a with every row of b.   [n, d], [m, d] -> [n, m]
/// Rows shorter than eps are divided by eps.
inline Var cosine(const Var& a, const Var& b, double eps = 1e-12) {
  return matmul(l2_normalize(a, eps), l2_normalize(b, eps), {.a = false, .b = true});
}

/// Cosine of each row of a with the same row of b, each length being at least eps.
/// [n, d], [n, d] -> [n]
inline Var cosine_similarity(const Var& a, const Var& b, double eps = 1e-8) {
  return sum(l2_normalize(a, eps) * l2_normalize(b, eps), -1);
}

/// Pearson correlation of every row with every row: the cosine of the centred rows, without an
/// epsilon, so that a constant row gives NaN.   [n, d] -> [n, n]
inline Var pearson(const Var& x) {
  const Var rows = l2_normalize(centred(x, -1), 0);
  return matmul(rows, rows, {.a = false, .b = true});
}

}  // namespace dml
