#pragma once
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/gather.hpp"
#include "ops/log.hpp"
#include "ops/log_sigmoid.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml {

/// Negative log-likelihood of probabilities: the mean over rows of -log(p[i, label[i]] + eps).
/// @param p       [n, c] probabilities.
/// @param labels  [n] i64
inline Var nll(const Var& p, const Tensor& labels, double eps = 1e-12) {
  const Var own = gather(p, 1, labels.reshape({labels.size(), 1}));  // [n, 1]
  return -mean(log(own, eps));
}

/// Kullback-Leibler divergence of target probabilities q from log-probabilities x, summed and
/// divided by the number of rows:  sum q (log q - x) / n;  0 log 0 is 0.   [n, c], [n, c] -> []
inline Var kl_divergence(const Var& x, const Var& q) {
  const Var log_q = log(clamp_min(q, 2e-38));  // the smallest normal f32: q log q vanishes there
  return sum(q * (log_q - x)) / static_cast<double>(x.dim(0));
}

/// Mean binary cross-entropy of logits x against targets in [0, 1], without overflow:
/// (1 - t) x - log sigmoid(x).   [...], [...] -> []
inline Var binary_cross_entropy(const Var& x, const Var& targets) {
  return mean((1.0 - targets) * x - log_sigmoid(x));
}

}  // namespace dml
