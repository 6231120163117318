#include "dml/divide/criteria.hpp"

#include "ops/abs.hpp"
#include "ops/barrier.hpp"
#include "ops/distance.hpp"
#include "ops/euclidean.hpp"
#include "ops/exp.hpp"
#include "ops/gather.hpp"
#include "ops/max_axis.hpp"
#include "ops/relu.hpp"
#include "ops/softmax.hpp"
#include "ops/softplus.hpp"

namespace dml::division {
namespace {

/// 1 where x is above 0, else 0; no gradient.
Var above_zero(const Var& x) { return exp(barrier(x.detached(), 0)); }

/// total / count, 0 where there is nothing to count.
Var mean_of(const Var& total, const Var& count) { return total / clamp_min(count, 1); }

Var rows(const Var& x, const Tensor& index) { return index_select(x, 0, index); }

/// sqrt(max(squared distance, 1e-4)) of all rows.   [n, n]
Var floored_distances(const Var& x) { return square_root(clamp_min(euclidean(x, 2), 1e-4)); }

/// [n, n] f(labels equal, same row), on the place of x.
template <class F> Var pairs(const Var& x, const Labels& labels, F f) {
  const std::int64_t n = labels.size();
  Tensor values = Tensor::empty({n, n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      values.raw<double>()[i * n + j] = f(labels[i] == labels[j], i == j) ? 1 : 0;
  return x.constant_like(values.to(x.dtype()));
}
Var positive_mask(const Var& x, const Labels& labels) {
  return pairs(x, labels, [](bool same, bool self) { return same && !self; });
}
/// Negatives, and the row itself.
Var candidate_mask(const Var& x, const Labels& labels) {
  return pairs(x, labels, [](bool same, bool self) { return !same || self; });
}

Var hinge(const Var& apart, double margin, bool soft) {
  return soft ? softplus(apart) : relu(apart + margin);
}

/// Every element [a, p] for all n, and every element [a, n] for all p.   [n, n, n]
Var by_positive(const Var& x) {
  return broadcast_to(reshape(x, {x.dim(0), x.dim(1), 1}), {x.dim(0), x.dim(0), x.dim(0)});
}
Var by_negative(const Var& x) {
  return broadcast_to(reshape(x, {x.dim(0), 1, x.dim(1)}), {x.dim(0), x.dim(0), x.dim(0)});
}

}  // namespace

MarginTerms margin_loss(const Var& x, const Triplets& triplets, const Labels& labels,
                        const Var& beta, const MarginOptions& options) {
  const Var anchors = rows(x, triplets.anchors);
  const auto distance = [&](const Tensor& index) {
    return square_root(sum(square(anchors - rows(x, index)), 1) + 1e-8);
  };
  MarginTerms terms;
  terms.d_ap = distance(triplets.positives);
  terms.d_an = distance(triplets.negatives);
  const bool one = beta.dim(0) == 1;
  const Var filled(triplets.filled, x.shared_tape());
  // The class of every anchor: labels are known on the host, anchors lie on the device.
  const Var all = one ? Var{} : index_select(beta, 0, x.constant_like(labels.tensor()).value());
  const Var own = one ? broadcast_to(beta, terms.d_ap.shape()) : rows(all, triplets.anchors);
  const Var positive = filled * relu(terms.d_ap - own + options.margin);
  const Var negative = filled * relu(own - terms.d_an + options.margin);
  terms.active = sum(above_zero(positive)) + sum(above_zero(negative));
  Var total = sum(positive) + sum(negative);
  if (options.nu != 0) {
    const Var size = one ? sum(abs(beta)) : sum(filled * abs(own));
    total = total + options.nu * (size * above_zero(terms.active));
  }
  terms.loss = mean_of(total, terms.active);
  return terms;
}

Var triplet_loss(const Var& x, const Triplets& triplets, double margin, bool soft) {
  const Var anchors = rows(x, triplets.anchors);
  const Var apart = pairwise_distance(anchors, rows(x, triplets.positives)) -
                    pairwise_distance(anchors, rows(x, triplets.negatives));
  const Var terms = Var(triplets.filled, x.shared_tape()) * hinge(apart, margin, soft);
  return mean_of(sum(terms), sum(above_zero(terms)));
}

Var triplet_all_loss(const Var& x, const Labels& labels, double margin) {
  const Var d = floored_distances(x);
  const Var chosen = by_positive(positive_mask(x, labels)) * by_negative(candidate_mask(x, labels));
  const Var terms = chosen * relu(by_positive(d) - by_negative(d) + margin);
  return mean_of(sum(terms), sum(chosen));
}

Var triplet_semihard_loss(const Var& x, const Labels& labels, double margin, bool soft) {
  constexpr double far = 1e30;
  const Var d = floored_distances(x);
  const Var candidates = candidate_mask(x, labels);
  const Var d_ap = by_positive(d), d_an = by_negative(d);
  // What is no candidate, or not further than the positive, is lifted out of reach.
  const Var further = above_zero(d_an - d_ap) * by_negative(candidates);
  const Var nearest = min(d_an + far * (1.0 - further), 2).values;  // [a, p]
  const Var found = above_zero(0.5 * far - nearest);
  const Var furthest = max(d - far * (1.0 - candidates), 1, true).values;  // [a, 1]
  // A minimum beyond reach times 0 is 0: it is finite.
  const Var chosen = found * nearest + (1.0 - found) * broadcast_to(furthest, nearest.shape());
  const Var positives = positive_mask(x, labels);
  const Var terms = positives * hinge(d - chosen, margin, soft);
  return mean_of(sum(terms), sum(positives));
}

Var npairs_loss(const Var& x, const Labels& labels, const Var& alpha) {
  const std::int64_t n = labels.size();
  std::vector<std::int64_t> counted;
  Tensor targets({n, n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t own = 0;
    for (std::int64_t j = 0; j < n; ++j) own += i != j && labels[i] == labels[j];
    if (own > 0) counted.push_back(i);
    for (std::int64_t j = 0; j < n && own > 0; ++j)
      if (i != j && labels[i] == labels[j])
        targets.raw<double>()[i * n + j] = 1 / static_cast<double>(own);
  }
  DML_CHECK(!counted.empty(), "npairs: no two images of the batch are of one class");
  const Var self = pairs(x, labels, [](bool, bool diagonal) { return diagonal; });
  const Var products = matmul(x, x, {.b = true});
  const Var logits = products * broadcast_to(alpha, products.shape()) - 1e30 * self;
  const Var log_p = log_softmax(logits);
  return -sum(x.constant_like(targets.to(x.dtype())) * log_p) / static_cast<double>(counted.size());
}

}  // namespace dml::division
