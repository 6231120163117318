#include "dml/revisiting/criteria.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/distance.hpp"
#include "ops/euclidean.hpp"
#include "ops/gather.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/log.hpp"
#include "ops/matmul.hpp"
#include "ops/max_axis.hpp"
#include "ops/norm.hpp"
#include "ops/positive.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "ops/variance.hpp"
#include "ops/where.hpp"

namespace dml::revisiting {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Var pick(const Var& v, const Tensor& rows) { return index_select(v, 0, rows); }

/// The terms that count, and how many those are (1 at least).
struct Counted {
  Var terms;
  Var total;
};

Counted counted(const Var& terms, const Tensor& mask) {
  if (mask.defined()) {
    const Var weight = terms.constant_like(mask);
    return {terms * weight, clamp_min(sum(weight), 1)};
  }
  const double all = static_cast<double>(std::max<std::int64_t>(terms.dim(0), 1));
  return {terms, terms.constant_like(Tensor({}, terms.dtype())) + all};
}

Var mean_of(const Var& terms, const Tensor& mask) {
  const Counted these = counted(terms, mask);
  return sum(these.terms) / these.total;
}

/// Pairs (a, b) of rows, squared distance.   [t]
Var squared(const Var& a, const Var& b) { return sum(square(a - b), 1); }

/// column [n] repeated over the columns of a matrix [n, m], and row [m] over its rows.
Var columns(const Var& column, std::int64_t m) {
  return broadcast_to(reshape(column, {column.dim(0), 1}), {column.dim(0), m});
}
Var rows(const Var& row, std::int64_t n) { return broadcast_to(row, {n, row.dim(0)}); }

/// log(1 + sum over a row of exp(x)), x being minus infinity where nothing is.   [t, n] -> [t]
Var log1p_sum_exp(const Var& x) {
  const Var one = x.constant_like(Tensor({x.dim(0), 1}, x.dtype()));
  return logsumexp(concat({one, x}, 1), 1);
}

Var mean_length(const Var& v) { return mean(norm(v)); }

/// Similarities of anchors to all rows, less those to their positives.   [t, n]
Var against_positive(const Var& anchors, const Var& positives, const Var& all) {
  const Var s = matmul(anchors, all, {.a = false, .b = true});
  return s - columns(sum(anchors * positives, 1), all.dim(0));
}

Tensor pairs_mask(const Labels& labels, bool positive, bool invert) {
  const Tensor mask =
      positive ? labels.positive_pairs(DType::f32) : labels.negative_pairs(DType::f32);
  Tensor result = Tensor::empty(mask.shape(), DType::u8);
  for (std::int64_t i = 0; i < mask.size(); ++i)
    result.raw<std::uint8_t>()[i] = (mask.raw<float>()[i] != 0) != invert ? 1 : 0;
  return result;
}

/// x with `value` where the pair is not of that kind.
Var only(const Var& x, const Labels& labels, bool positive, double value) {
  return masked_fill(x, x.device().upload(pairs_mask(labels, positive, true)), value);
}

/// Rows with another row of their class.
std::int64_t anchors_of(const Labels& labels) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    const auto same = std::count(labels.of().begin(), labels.of().end(), labels[i]);
    if (same > 1) ++count;
  }
  return count;
}

}  // namespace

Var contrastive(const Var& v, const Triplets& t, double positive, double negative) {
  const Var a = pick(v, t.anchor);
  const Var near = relu(pairwise_distance(a, pick(v, t.positive)) - positive);
  const Var far = relu(negative - pairwise_distance(a, pick(v, t.negative)));
  return mean_of(near, t.counted) + mean_of(far, t.counted);
}

Var triplet(const Var& v, const Triplets& t, double margin) {
  const Var a = pick(v, t.anchor);
  return mean_of(relu(squared(a, pick(v, t.positive)) - squared(a, pick(v, t.negative)) + margin),
                 t.counted);
}

Var margin(const Var& v, const Triplets& t, const Var& beta, const MarginOptions& options,
           const Var& phi_p, const Var& phi_n) {
  const Var a = pick(v, t.anchor);
  Var near = square_root(squared(a, pick(v, t.positive)) + 1e-8);
  Var far = square_root(squared(a, pick(v, t.negative)) + 1e-8);
  if (phi_p.defined()) near = near * pick(phi_p, t.anchor);
  if (phi_n.defined()) far = far * pick(phi_n, t.anchor);
  const Var terms =
      counted(relu(near - beta + options.margin) + relu(beta - far + options.margin), t.counted)
          .terms;
  // Both terms of a triplet are never negative: their sum is above 0 where one of them is.
  const Var loss = sum(terms) / clamp_min(sum(positive(terms)), 1);
  if (options.nu == 0) return loss;
  return loss + options.nu * sum(counted(beta, t.counted).terms);
}

Var lifted(const Var& v, const Labels& labels, double margin, double l2) {
  const std::int64_t n = v.dim(0), anchors = anchors_of(labels);
  constexpr double eps = 1e-6;
  // |a - b + eps|^2 = |a - b|^2 + 2 eps sum(a - b) + d eps^2
  const Var sums = sum(v, 1);
  const Var square_length = euclidean(v, 2) + 2 * eps * (columns(sums, n) - rows(sums, n)) +
                            static_cast<double>(v.dim(1)) * eps * eps;
  const Var d = square_root(clamp_min(square_length, 0));
  const Var pull = logsumexp(only(d, labels, true, -infinity), 1);
  const Var push = logsumexp(only(margin - d, labels, false, -infinity), 1);
  // A row without positives or negatives has minus infinity on a side, and costs nothing.
  const double count = static_cast<double>(std::max<std::int64_t>(anchors, 1));
  return sum(relu(pull + push)) / count + l2 * mean_length(v);
}

Var npair(const Var& v, const NegativeSets& sets, double l2, double divisor) {
  const Var z = divisor == 1 ? v : v / divisor;
  const Var s = against_positive(pick(z, sets.anchor), pick(z, sets.positive), z);
  const Var terms = log1p_sum_exp(masked_fill(s, v.device().upload(sets.without), -infinity));
  const Var loss = mean_of(terms, sets.counted) + l2 * mean_length(z);
  if (terms.dim(0) == 0) return 0.0 * loss;
  return sets.counted.defined() ? loss * positive(sum(v.constant_like(sets.counted))) : loss;
}

Var angular(const Var& v, const NegativeSets& sets, const AngularOptions& options) {
  const double t = std::pow(std::tan(options.alpha * 3.14159265358979323846 / 180), 2);
  const Tensor without = v.device().upload(sets.without);
  const Var raw = against_positive(pick(v, sets.anchor), pick(v, sets.positive), v);
  const Var pairs = log1p_sum_exp(masked_fill(clamp(raw, -50, 50), without, -infinity));
  const Var u = l2_normalize(v);
  const Var a = pick(u, sets.anchor), p = pick(u, sets.positive);
  const Var s = 4 * t * matmul(a + p, u, {.a = false, .b = true}) -
                2 * (1 + t) * columns(sum(a * p, 1), v.dim(0));
  const Var angles = log1p_sum_exp(masked_fill(s, without, -infinity));
  return mean_of(pairs + options.weight * angles, sets.counted) + options.l2 * mean_length(v);
}

Var quadruplet(const Var& v, const Triplets& t, const Tensor& fourth, double first, double second,
               bool paper) {
  const Var a = pick(v, t.anchor), n = pick(v, t.negative), f = pick(v, fourth);
  const Var near = norm(a - pick(v, t.positive));
  const Var loss = mean_of(relu(near - norm(a - n) + first), t.counted);
  if (paper) return loss + mean_of(relu(near - norm(n - f) + second), t.counted);
  const std::int64_t count = near.dim(0);
  Var all = relu(columns(near, count) - euclidean(n, f) + second);  // [i, j]
  if (t.counted.defined()) {
    const Var weight = v.constant_like(t.counted);
    all = all * columns(weight, count) * rows(weight, count);
    return loss + sum(all) / square(clamp_min(sum(weight), 1));
  }
  const double pairs = static_cast<double>(std::max<std::int64_t>(count * count, 1));
  return loss + sum(all) / pairs;
}

Tensor fourth_candidates(const Var& v, const Triplets& t, const Labels& labels, bool paper) {
  const std::int64_t n = labels.size(), count = t.anchor.dim(0);
  Tensor numbers = Tensor::empty({n}, DType::f64), classes = Tensor::empty({n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) {
    numbers.raw<double>()[i] = static_cast<double>(i);
    classes.raw<double>()[i] = static_cast<double>(labels[i]);
  }
  const auto differ = [&](const Var& column, const Var& row) {
    return positive(square(columns(column, row.dim(0)) - rows(row, count)));
  };
  if (!paper) {
    const Var negative = pick(v.constant_like(numbers.to(v.dtype())), t.negative);
    return differ(negative, negative).value();
  }
  const Var of = v.constant_like(classes.to(v.dtype()));
  return (differ(pick(of, t.anchor), of) * differ(pick(of, t.negative), of)).value();
}

Var snr(const Var& v, const Triplets& t, double margin, double lambda) {
  const Var a = pick(v, t.anchor);
  const Var signal = clamp_min(variance(a, 1), 1e-15);
  const Var noise_p = variance(a - pick(v, t.positive), 1);
  const Var noise_n = variance(a - pick(v, t.negative), 1);
  const Counted terms = counted(relu((noise_p - noise_n) / signal + margin), t.counted);
  const Var loss = sum(terms.terms) / clamp_min(sum(positive(terms.terms)), 1);
  return lambda == 0 ? loss : loss + lambda * mean_of(abs(sum(a, 1)), t.counted);
}

Var multisimilarity(const Var& v, const Labels& labels, const MultisimilarityOptions& options) {
  const std::int64_t n = v.dim(0);
  const Var s = matmul(v, v, {.a = false, .b = true});
  const Var fixed = s.detached();
  const Var least = amin(only(fixed, labels, true, infinity), 1);
  const Var largest = amax(only(fixed, labels, false, -infinity), 1);
  const Var negatives =
      positive(only(fixed + options.margin - columns(least, n), labels, false, -1));
  const Var positives =
      positive(only(columns(largest, n) - fixed + options.margin, labels, true, -1));
  const Var both = positive(sum(negatives, 1)) * positive(sum(positives, 1));  // [n]
  const Var apart = s - options.threshold;
  const Var terms = log1p_sum_exp(-options.positive * apart + log(positives)) / options.positive +
                    log1p_sum_exp(options.negative * apart + log(negatives)) / options.negative;
  return sum(terms * both) / clamp_min(sum(both), 1);
}

Var adversarial_separation(const Var& source, const Var& target, const Regressor& r) {
  // The value of x with the gradient of -x.
  const auto reversed = [](const Var& x) { return l2_normalize(2.0 * x.detached() - x); };
  const Var hidden = relu(linear(reversed(source), r.weight0, r.bias0));
  const Var guess = l2_normalize(linear(hidden, r.weight2, r.bias2));
  return -mean(square(reversed(target) * guess));
}

}  // namespace dml::revisiting
