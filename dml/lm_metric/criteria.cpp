#include "dml/lm_metric/criteria.hpp"

#include <limits>
#include <vector>

#include "dml/lm_metric/rows.hpp"
#include "dml/miners/distance_weighting.hpp"
#include "ops/arithmetic.hpp"
#include "ops/categorical.hpp"
#include "ops/distance.hpp"
#include "ops/gather.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/log.hpp"
#include "ops/matmul.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "ops/where.hpp"

namespace dml::lm {
namespace {

/// [n, n] similarities and [n] weights -> [n] average precisions.
struct WeightedSmoothAp {
  Tensor labels;
  SmoothRank rank;
  Tensor similarity{}, phi{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& s, const Tensor& weights) {
    similarity = device.dense(s);
    phi = device.dense(weights);
    Tensor ap = device.empty(phi.shape(), phi.dtype());
    kernel::weighted_smooth_ap_fwd(device, similarity, phi, labels, rank, ap);
    return ap;
  }
  Grads<2> backward(Device& device, const Tensor& dap, std::array<bool, 2> wanted) const {
    Tensor ds = device.empty(similarity.shape(), phi.dtype()), by_query, dphi;
    if (wanted[1]) {
      by_query = device.empty(similarity.shape(), phi.dtype());
      dphi = device.empty(phi.shape(), phi.dtype());
    }
    kernel::weighted_smooth_ap_bwd(device, similarity, phi, labels, rank, device.dense(dap), ds,
                                   by_query);
    if (wanted[1]) kernel::sum_rows(device, by_query, dphi);
    return {ds, dphi};
  }
};

/// log(1 + sum over rows of exp(x)), of the entries whose mask is 0.   [n, c], u8 [n, c] -> [c]
Var log1p_sum_exp(const Var& x, const Tensor& without) {
  const Var left =
      masked_fill(x, x.device().upload(without), -std::numeric_limits<double>::infinity());
  const Var one = x.constant_like(Tensor({1, x.dim(1)}, x.dtype()));
  return logsumexp(concat({one, left}, 0), 0);
}

/// For every row another row of its class, itself where it is alone. Labels are known on the host.
Tensor uniform_positives(const Labels& labels, const Random& random) {
  Tensor result = Tensor::empty({labels.size()}, DType::i64);
  std::vector<std::int64_t> others;
  for (std::int64_t i = 0; i < labels.size(); ++i) {
    others.clear();
    for (std::int64_t j = 0; j < labels.size(); ++j)
      if (j != i && labels[j] == labels[i]) others.push_back(j);
    const std::uint64_t at =
        others.empty() ? 0 : random.below(static_cast<std::uint64_t>(i), others.size());
    result.raw<std::int64_t>()[i] = others.empty() ? i : others[at];
  }
  return result;
}

void check(const Var& v, const Labels& labels, const Var& phi) {
  DML_CHECK(v.rank() == 2 && v.dim(0) == labels.size() && phi.shape() == Shape{labels.size()},
            "embeddings " + to_string(v.shape()) + " and weights " + to_string(phi.shape()) +
                " for " + std::to_string(labels.size()) + " labels; [n, d] and [n] are needed");
}

}  // namespace

Var weighted_smooth_ap(const Var& v, const Labels& labels, const Var& phi, double tau) {
  check(v, labels, phi);
  const Var similarity = matmul(v, v, {.a = false, .b = true});
  const Tensor of = v.device().upload(labels.tensor());
  const Var ap = apply(WeightedSmoothAp{of, {tau}}, similarity, phi);
  return 1.0 - mean(ap);
}

revisiting::Triplets distance_triplets(const Var& v, const Labels& labels, const Random& random,
                                       bool nan_to_number) {
  Device& device = v.device();
  const std::int64_t n = labels.size();
  const Var fixed = v.detached();
  const Tensor distance = device.dense(distance_by_product(fixed, fixed).value());
  const Tensor of = device.upload(labels.tensor());
  Tensor p = device.empty({n, n}, v.dtype());
  kernel::distance_weighting(device, distance, of, of,
                             {.dim = static_cast<double>(v.dim(1)), .nan_to_number = nan_to_number},
                             p);
  const Drawn negative = categorical(device, p, random.split(0));
  Tensor anchors = Tensor::empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) anchors.raw<std::int64_t>()[i] = i;
  return {device.upload(anchors), device.upload(uniform_positives(labels, random.split(1))),
          negative.place, negative.found};
}

Var weighted_proxy_anchor(const Var& v, const Labels& labels, const Var& proxies, const Var& phi,
                          double alpha, double delta) {
  check(v, labels, phi);
  const Var cosine =
      matmul(v, l2_normalize(proxies, 1e-12, NormFloor::added), {.a = false, .b = true});
  const Var log_phi = broadcast_to(reshape(log(phi), {v.dim(0), 1}), cosine.shape());
  const Var pull =
      log1p_sum_exp(log_phi - alpha * (cosine - delta), labels.other(DType::f32).to(DType::u8));
  const Var push =
      log1p_sum_exp(log_phi + alpha * (cosine + delta), labels.same(DType::f32).to(DType::u8));
  return sum(pull) / static_cast<double>(labels.distinct()) +
         sum(push) / static_cast<double>(proxies.dim(0));
}

Var weighted_softmax(const Var& v, const Labels& labels, const Var& class_map, const Var& phi) {
  check(v, labels, phi);
  const Var logits = matmul(v, l2_normalize(class_map), {.a = false, .b = true});
  const Var own = gather(log_softmax(logits), 1, labels.tensor().reshape({labels.size(), 1}));
  return -mean(phi * reshape(own, {labels.size()}));
}

Var batch_average_precision(const Var& v, const Labels& labels) {
  Device& device = v.device();
  const Var fixed = v.detached();
  const Tensor similarity = device.dense(matmul(fixed, fixed, {.a = false, .b = true}).value());
  Tensor precision = device.empty({labels.size()}, v.dtype());
  kernel::batch_precision(device, similarity, device.upload(labels.tensor()), precision);
  return v.constant_like(precision);
}

}  // namespace dml::lm
