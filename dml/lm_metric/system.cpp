#include "dml/lm_metric/system.hpp"

#include <fmt/core.h>

#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml::lm {
namespace {

const Loss::Setup& system_setup(const Loss::Setup& setup) {
  if (setup.dim != setup.features)
    throw UsageError(fmt::format(
        "the embedding layer belongs to this loss: it wants the {} pooled features of the net, "
        "and gets an embedding of {}\n  --set head.dim=0, and loss.dim for the embedding",
        setup.features, setup.dim));
  return setup;
}

Parameter& of_criterion(Parameter& parameter, const SystemOptions& options) {
  parameter.lr_scale = options.criterion_lr_scale;
  parameter.decay_scale = 0;
  return parameter;
}

bool both_terms(const SystemOptions& options) {
  return options.policy_terms == "pn" ||
         (options.policy_terms == "auto" && options.criterion == "margin");
}

}  // namespace

System::System(const Loss::Setup& setup, const SystemOptions& options)
    : options_(options), head_(system_setup(setup).scope, setup.features, options.head) {
  const Scope scope = setup.scope / "criterion";
  const std::int64_t dim = options.head.dim, classes = setup.classes;
  const double deviation = std::sqrt(2 / static_cast<double>(std::max<std::int64_t>(classes, 1)));
  if (options.criterion == "proxyanchor") {
    learned_ =
        &of_criterion(scope.parameter("proxies", {classes, dim}, init::normal(deviation)), options);
    learned2_ =
        &of_criterion(scope.parameter("proxies2", {classes, dim}, init::normal(1)), options);
  } else if (options.criterion == "softmax") {
    learned_ =
        &of_criterion(scope.parameter("class_map", {classes, dim},
                                      init::uniform(1 / std::sqrt(static_cast<double>(dim)))),
                      options);
  } else if (options.criterion == "margin") {
    if (!options.beta_constant)
      learned_ =
          &of_criterion(scope.parameter("beta", {classes}, init::constant(options.beta)), options);
  } else if (options.criterion != "smoothap") {
    Loss::Setup inner = setup;
    inner.scope = scope;
    inner.dim = inner.features = dim;
    other_ = Registry<Loss>::make(options.criterion, {}, inner);
    for (Parameter& one : scope.store().all())
      if (one.name.rfind(scope.path() + ".", 0) == 0) of_criterion(one, options);
  }
  if (options.policy_baseline == "ema")
    reward_mean_ = &setup.scope.buffer("reward_mean", {}, init::zeros());
}

System::~System() = default;

Requirements System::requirements() const {
  if (other_) return other_->requirements();
  const bool pairs = options_.criterion == "smoothap" || options_.criterion == "margin";
  return {.images_per_class = pairs ? 2 : 1};
}

Var System::margin(const Loss::Batch& batch, const Var& v, const Chosen& positive,
                   const Chosen& negative, const revisiting::Triplets* triplets,
                   bool second) const {
  const revisiting::Triplets mined =
      triplets != nullptr
          ? *triplets
          : distance_triplets(v, batch.labels, batch.random.split(second ? 11 : 10), true);
  Var by_row;
  if (learned_ != nullptr) {
    by_row = index_select(v.leaf(*learned_), 0, batch.labels.tensor());
  } else {
    Tensor same({1}, v.dtype());
    by_row = broadcast_to(v.constant_like(same) + options_.beta, {batch.labels.size()});
  }
  return revisiting::margin(v, mined, index_select(by_row, 0, mined.anchor), options_.margin,
                            positive.weight, negative.weight);
}

Var System::criterion(const Loss::Batch& batch, const Var& v, const Chosen& positive,
                      const Chosen& negative, const revisiting::Triplets* triplets,
                      bool second) const {
  const Labels& labels = batch.labels;
  if (options_.criterion == "smoothap")
    return weighted_smooth_ap(v, labels, positive.weight, options_.tau);
  if (options_.criterion == "proxyanchor")
    return weighted_proxy_anchor(v, labels, v.leaf(second ? *learned2_ : *learned_),
                                 positive.weight, options_.alpha, options_.delta);
  if (options_.criterion == "margin") return margin(batch, v, positive, negative, triplets, second);
  if (second) return {};  // the others know one embedding and no weights
  if (options_.criterion == "softmax")
    return weighted_softmax(v, labels, v.leaf(*learned_), positive.weight);
  Loss::Batch inner = batch;
  inner.embedding = inner.features = v;
  inner.neck = {};
  return (*other_)(inner);
}

/// The reward less its baseline; the running mean moves in training alone.
Var System::advantage(const Var& reward, bool live) const {
  if (options_.policy_baseline == "batch_mean")
    return reward - broadcast_to(reshape(mean(reward), {1}), reward.shape());
  if (reward_mean_ == nullptr) return reward;
  Tensor held = reward.device().empty({}, reward.dtype());
  reward.device().copy(reward_mean_->value, held);
  const Var before = reward.constant_like(held);
  if (live) {
    const Var after =
        options_.baseline_decay * before + (1 - options_.baseline_decay) * mean(reward);
    reward.device().copy(after.value(), reward_mean_->value);
  }
  return reward - broadcast_to(reshape(before, {1}), reward.shape());
}

SystemTerms System::operator()(const Loss::Batch& batch, const StepDraws& draws) const {
  const bool live = batch.features.training();
  SystemTerms terms;
  terms.head = head_(batch.features, draws.head, batch.random, live);
  const Chosen &p = terms.head.positive, &n = terms.head.negative;
  terms.metric = criterion(batch, terms.head.embedding, p, n, draws.first, false);
  const Var second = criterion(batch, terms.head.second, p, n, draws.second, true);
  if (second.defined()) terms.metric = terms.metric + second;
  terms.loss = terms.metric + options_.nll_weight * terms.head.nll;
  if (options_.policy_weight == 0) return terms;
  terms.reward = batch_average_precision(terms.head.embedding, batch.labels);
  const Var gain = advantage(terms.reward, live);
  terms.policy = -mean(p.log_prob * gain);
  if (both_terms(options_)) terms.policy = terms.policy - mean(n.log_prob * gain);
  terms.loss = terms.loss + options_.policy_weight * terms.policy;
  return terms;
}

}  // namespace dml::lm
