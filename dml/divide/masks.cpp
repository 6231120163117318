#include "dml/divide/masks.hpp"

#include <fmt/core.h>

#include <span>

#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/slice.hpp"
#include "ops/sum.hpp"

namespace dml::division {
namespace {

Var scaled(const Var& y, const Var& mask) {
  return l2_normalize(y * broadcast_to(mask, y.shape()));
}

/// The children of one mask of ones and zeros.
void halve(std::span<const double> mask, std::span<double> first, std::span<double> second) {
  std::int64_t ones = 0;
  for (const double one : mask) ones += one != 0;
  std::int64_t met = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const bool early = mask[i] != 0 && met < ones / 2;
    met += mask[i] != 0;
    first[i] = early ? 1 : 0;
    second[i] = mask[i] != 0 && !early ? 1 : 0;
  }
}

}  // namespace

Var masked_embedding(const Var& y, const Var& masks, std::int64_t learner, bool rectified) {
  DML_CHECK(learner >= 0 && learner < masks.dim(0),
            fmt::format("divide: learner {} of {}", learner, masks.dim(0)));
  const Var mask = slice(masks, 0, learner, learner + 1);
  return scaled(y, rectified ? relu(mask) : mask);
}

Var summed_embedding(const Var& y, const Var& masks, bool rectified, bool l1) {
  Var all = rectified ? relu(masks) : masks;
  if (l1) {
    const Var length = clamp_min(sum(abs(all), 1, true), 1e-12);
    all = all / broadcast_to(length, all.shape());
  }
  return scaled(y, sum(all, 0, true));
}

Var mask_similarity(const Var& masks) {
  const std::int64_t k = masks.dim(0);
  const Var unit = l2_normalize(relu(masks), 1e-8);
  Tensor pairs = Tensor::empty({k, k}, masks.dtype());
  visit_float(masks.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < k * k; ++i) pairs.raw<T>()[i] = i % (k + 1) == 0 ? T(0) : T(1);
  });
  const double count = k > 1 ? static_cast<double>(k * (k - 1)) : 1;
  return sum(matmul(unit, unit, {.b = true}) * masks.constant_like(pairs)) / count;
}

Tensor fixed_masks(std::int64_t learners, std::int64_t dim) {
  Tensor masks = Tensor::empty({1, dim}, DType::f64);
  for (double& one : masks.data<double>()) one = 1;
  while (masks.dim(0) < learners) {
    Tensor next({2 * masks.dim(0), dim}, DType::f64);
    for (std::int64_t k = 0; k < masks.dim(0); ++k)
      halve(masks.row<double>(k), next.row<double>(2 * k), next.row<double>(2 * k + 1));
    masks = next;
  }
  return masks;
}

std::int64_t whole_levels(std::int64_t n) {
  std::int64_t masks = 1;
  while (masks < n) masks *= 2;
  return masks;
}

}  // namespace dml::division
