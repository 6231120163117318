#include "dml/intra_batch/losses.hpp"

#include <limits>

#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/distance.hpp"
#include "ops/divergence.hpp"
#include "ops/euclidean.hpp"
#include "ops/exp.hpp"
#include "ops/gather.hpp"
#include "ops/max_axis.hpp"
#include "ops/relu.hpp"
#include "ops/smooth_l1.hpp"
#include "ops/softmax.hpp"
#include "ops/where.hpp"

namespace dml::intra_batch {
namespace {

/// [n, n] u8: 1 where the classes of two rows are equal (or, with `same` false, differ).
Tensor class_pairs(const Labels& labels, bool same) {
  const std::int64_t n = labels.size();
  Tensor mask = Tensor::empty({n, n}, DType::u8);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      mask.raw<std::uint8_t>()[i * n + j] = (labels[i] == labels[j]) == same ? 1 : 0;
  return mask;
}

/// [n, n] smooth distances of the rows, divided by their mean.
Var relations(const Var& x) {
  const std::int64_t n = x.dim(0), d = x.dim(1);
  const Shape all{n, n, d};
  const Var apart =
      broadcast_to(reshape(x, {n, 1, d}), all) - broadcast_to(reshape(x, {1, n, d}), all);
  const Var distance = sum(smooth_l1(apart), 2);
  return distance / broadcast_to(reshape(mean(distance), {1, 1}), {n, n});
}

}  // namespace

Var focal_loss(const Var& logits, const Tensor& labels, double gamma) {
  const Var log_p = gather(log_softmax(logits), 1, labels.reshape({labels.size(), 1}));  // [n, 1]
  // 1 - p in a form that cannot fall below 0, where a power would be no number.
  const Var rest = clamp_min(1.0 - exp(log_p.detached()), 0);
  return -mean(power(rest, gamma) * log_p);
}

Var center_loss(const Var& x, const Var& centres, const Labels& labels) {
  const Var own = x.constant_like(labels.same(x.dtype()));  // [n, c]
  const Var masked = own * squared_distance_by_product(x, centres);
  return sum(clamp(masked, 1e-12, 1e12)) / static_cast<double>(labels.size());
}

Var batch_hard_triplet(const Var& x, const Labels& labels, double margin) {
  DML_CHECK(labels.distinct() > 1,
            "triplet: all images of the batch are of one class, so there is no negative\n  take a "
            "sampler with at least 2 classes in a batch");
  const double infinity = std::numeric_limits<double>::infinity();
  const Var d = euclidean(x, 2);
  const auto mask = [&](bool same) { return x.constant_like(class_pairs(labels, same)).value(); };
  const Var positive = max(masked_fill(d, mask(false), -infinity), 1).values;
  const Var negative = min(masked_fill(d, mask(true), infinity), 1).values;
  return mean(relu(positive - negative + margin));
}

Var soft_target_cross_entropy(const Var& logits, const Var& targets, double temperature) {
  return cross_entropy_soft(logits / temperature, targets);
}

Var soft_target_divergence(const Var& logits, const Var& targets, double temperature) {
  return kl_divergence(log_softmax(logits, temperature), targets) /
         static_cast<double>(logits.dim(1));
}

Var smooth_l1_loss(const Var& x, const Var& targets) { return mean(smooth_l1(x - targets)); }

Var relational_distance(const Var& teacher, const Var& student) {
  return sum(abs(relations(teacher.detached()) - relations(student)));
}

}  // namespace dml::intra_batch
