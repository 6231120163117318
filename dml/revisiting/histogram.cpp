#include "dml/revisiting/histogram.hpp"

#include <algorithm>
#include <vector>

#include "dml/revisiting/criteria.hpp"
#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"
#include "ops/matmul.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

struct HistogramLoss {
  Tensor labels, counts;
  PairHistogram rule;
  Tensor similarity{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& s) {
    similarity = device.dense(s);
    Tensor h = device.empty({2, rule.bins}, s.dtype());
    kernel::pair_histogram_fwd(device, similarity, labels, counts, rule, h);
    return h;
  }
  Grads<1> backward(Device& device, const Tensor& dh, std::array<bool, 1>) const {
    Tensor ds = device.empty(similarity.shape(), similarity.dtype());
    kernel::pair_histogram_bwd(device, similarity, labels, counts, rule, device.dense(dh), ds);
    return {ds};
  }
};

/// Serial: all pairs add to the same few sums.
void forward(Device&, const Tensor& similarity, const Tensor& labels, const Tensor& counts,
             const PairHistogram& rule, Tensor& h) {
  const std::int64_t n = labels.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  std::vector<double> total(static_cast<std::size_t>(2 * rule.bins));
  visit_float(h.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i + 1; j < n; ++j) {
        const T s = similarity.raw<T>()[i * n + j];
        const std::int64_t kind = of[i] == of[j] ? 0 : 1, k = rule.node(s);
        for (std::int64_t r = k; r <= std::min(k + 1, rule.bins - 1); ++r)
          total[static_cast<std::size_t>(kind * rule.bins + r)] +=
              static_cast<double>(rule.share(s, r));
      }
    for (std::int64_t i = 0; i < 2 * rule.bins; ++i)
      h.raw<T>()[i] =
          static_cast<T>(total[static_cast<std::size_t>(i)]) / counts.raw<T>()[i / rule.bins];
  });
}

void backward(Device& device, const Tensor& similarity, const Tensor& labels, const Tensor& counts,
              const PairHistogram& rule, const Tensor& dh, Tensor& ds) {
  const std::int64_t n = labels.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  all_lines(device, ds.dtype(), n, n, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        T slope = 0;
        if (j > i && rule.counts(similarity.raw<T>()[i * n + j])) {
          const std::int64_t kind = of[i] == of[j] ? 0 : 1;
          const std::int64_t k = rule.node(similarity.raw<T>()[i * n + j]);
          const T* up = dh.raw<T>() + kind * rule.bins;
          slope = (k + 1 < rule.bins ? up[k + 1] : T(0)) - up[k];
          slope /= static_cast<T>(rule.step()) * counts.raw<T>()[kind];
        }
        ds.raw<T>()[i * n + j] = slope;
      }
  });
}

const bool revisiting_histogram_added =
    kernel::pair_histogram_fwd.add(Backend::reference, forward) &&
    kernel::pair_histogram_fwd.add(Backend::cpu, forward) &&
    kernel::pair_histogram_bwd.add(Backend::reference, backward) &&
    kernel::pair_histogram_bwd.add(Backend::cpu, backward);

/// How many positive and negative pairs there are, at least 1 of each.   [2]
Tensor pair_counts(const Labels& labels, DType type) {
  double positive = 0, negative = 0;
  for (std::int64_t i = 0; i < labels.size(); ++i)
    for (std::int64_t j = i + 1; j < labels.size(); ++j)
      ++(labels[i] == labels[j] ? positive : negative);
  return Tensor::of<double>({2}, {std::max(positive, 1.0), std::max(negative, 1.0)}).to(type);
}

/// Its product with a row adds up all elements that are not behind a place.   [n, n]
Tensor running_sum(std::int64_t n, DType type) {
  Tensor matrix({n, n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i; j < n; ++j) matrix.raw<double>()[i * n + j] = 1;
  return matrix.to(type);
}

}  // namespace

Var revisiting::histogram(const Var& v, const Labels& labels, std::int64_t bins) {
  DML_CHECK(bins >= 2, "histogram: " + std::to_string(bins) + " bins; 2 at least are needed");
  Device& device = v.device();
  const Var s = matmul(v, v, {.a = false, .b = true});
  const Var h = apply(
      HistogramLoss{
          device.upload(labels.tensor()), device.upload(pair_counts(labels, v.dtype())), {bins}},
      s);
  const Var positive = slice(h, 0, 0, 1), negative = slice(h, 0, 1, 2);
  const Var below = matmul(positive, v.constant_like(running_sum(bins, v.dtype())));
  return sum(negative * below);
}

}  // namespace dml
