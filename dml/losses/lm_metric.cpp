#include "dml/lm_metric/system.hpp"
#include "dml/loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/noise.hpp"

namespace dml {
namespace {

/// LM-Metric on the pooled features: it owns the embedding layer, so the head has none.
class LmMetric final : public Loss {
 public:
  struct Options {
    std::string criterion = "smoothap";
    std::int64_t dim = 512;
    bool normalize = true;
    double policy_weight = 1;
    std::string policy_terms = "auto";
    std::string policy_baseline = "none";
    double baseline_decay = 0.9;
    std::int64_t actions = 64;
    double weight_max = 1;
    std::int64_t flow_levels = 2;
    std::int64_t flow_steps = 8;
    std::int64_t flow_channels = 128;
    double flow_sigma = 0.6;
    double eval_sigma = 0.6;
    std::int64_t eval_seed = 0;
    double nll_weight = 1;
    double tau = 0.01;
    double margin = 0.2;
    double beta = 1.2;
    bool beta_constant = true;
    double nu = 0;
    double alpha = 32;
    double delta = 0.1;
    double criterion_lr_scale = 100;
    static constexpr std::tuple fields{
        field("criterion", &Options::criterion,
              "the metric loss: smoothap, margin, proxyanchor and softmax take the weights of the "
              "policy; any other loss is used as it is, on the first embedding"),
        field("dim", &Options::dim, "size of the embedding, a multiple of 16 * 2^flow_levels",
              {16, 65536}),
        field("normalize", &Options::normalize, "embeddings of unit length"),
        field("policy_weight", &Options::policy_weight,
              "weight of the policy gradient; 0 as in the published code: weights stay random",
              {0, 1e6}),
        field("policy_terms", &Options::policy_terms,
              "which actions are rewarded: of the weights of positives (p) or both (pn); auto: pn "
              "for margin, which alone uses both",
              "auto|p|pn"),
        field("policy_baseline", &Options::policy_baseline,
              "taken off the reward: nothing, its mean in the batch, or its running mean",
              "none|batch_mean|ema"),
        field("baseline_decay", &Options::baseline_decay, "memory of the running mean", {0, 1}),
        field("actions", &Options::actions, "different weights that the policy chooses from",
              {1, 65536}),
        field("weight_max", &Options::weight_max,
              "largest weight; action a of A has weight_max (a + 1) / A", {1e-6, 1e6}),
        field("flow_levels", &Options::flow_levels, "resolutions of the flow", {1, 4}),
        field("flow_steps", &Options::flow_steps, "steps of the flow in each level", {1, 256}),
        field("flow_channels", &Options::flow_channels, "channels of its coupling networks",
              {1, 4096}),
        field("flow_sigma", &Options::flow_sigma,
              "deviation of the latent that is read in training", {0, 10}),
        field("eval_sigma", &Options::eval_sigma,
              "deviation of the latent that is read at retrieval; 0: the same for every image",
              {0, 10}),
        field("eval_seed", &Options::eval_seed, "seed of the latent at retrieval", {0, 1e15}),
        field("nll_weight", &Options::nll_weight, "weight of the flow's likelihood", {0, 1e6}),
        field("tau", &Options::tau, "smoothap: temperature of the ranks", {1e-6, 1e6}),
        field("margin", &Options::margin, "margin: distance from beta", {0, 2}),
        field("beta", &Options::beta, "margin: boundary between near and far", {0, 10}),
        field("beta_constant", &Options::beta_constant, "margin: one boundary, not learnt"),
        field("nu", &Options::nu, "margin: weight of the sum of boundaries", {0, 1e6}),
        field("alpha", &Options::alpha, "proxyanchor: scale inside the exponentials", {1e-6, 1e6}),
        field("delta", &Options::delta, "proxyanchor: cosine margin", {0, 2}),
        field("criterion_lr_scale", &Options::criterion_lr_scale,
              "rate of what the criterion learns, in learning rates (published: 1e-2 beside 1e-4)",
              {0, 1e9}),
    };
  };

  LmMetric(const Options& options, const Setup& setup)
      : options_(options), system_(setup, system_options(options)) {}

  Var operator()(const Batch& batch) override {
    const lm::SystemTerms terms = system_(batch, {});
    note("metric", terms.metric);
    note("nll", terms.head.nll);
    if (terms.policy.defined()) note("policy", terms.policy);
    return terms.loss;
  }

  Requirements requirements() const override { return system_.requirements(); }

  // Row i of a set gets the i-th latent, however the set is cut into batches.
  Var embed(const Var& features) override {
    const Shape shape{features.dim(0), system_.head().dim()};
    if (options_.eval_sigma == 0)
      return system_.head().retrieve(features,
                                     features.constant_like(Tensor(shape, features.dtype())));
    const NoiseRows rows{.kind = Noise::normal,
                         .random = {static_cast<std::uint64_t>(options_.eval_seed), Purpose::mine},
                         .first = features.tape().first_row()};
    const Var z = features.constant_like(noise(features.device(), rows, shape, features.dtype()));
    return system_.head().retrieve(features, z * options_.eval_sigma);
  }

 private:
  static lm::SystemOptions system_options(const Options& o) {
    return {.head = {.dim = o.dim,
                     .actions = o.actions,
                     .weight_max = o.weight_max,
                     .flow_sigma = o.flow_sigma,
                     .normalize = o.normalize,
                     .flow = {.levels = o.flow_levels,
                              .steps = o.flow_steps,
                              .channels = o.flow_channels}},
            .criterion = o.criterion,
            .policy_weight = o.policy_weight,
            .policy_terms = o.policy_terms,
            .policy_baseline = o.policy_baseline,
            .baseline_decay = o.baseline_decay,
            .nll_weight = o.nll_weight,
            .tau = o.tau,
            .margin = {.margin = o.margin, .nu = o.nu},
            .beta = o.beta,
            .beta_constant = o.beta_constant,
            .alpha = o.alpha,
            .delta = o.delta,
            .criterion_lr_scale = o.criterion_lr_scale};
  }

  Options options_;
  lm::System system_;
};

const Register<Loss, LmMetric> lm_metric_loss{{
    .name = "lm_metric",
    .summary = "learnt pair weights by policy gradient, and a flow as memory of batch contexts",
    .paper = "Yan et al., LM-Metric: Learned Pair Weighting and Contextual Memory for Deep Metric "
             "Learning, TechRxiv 22361128, 2023",
    .details = "wants the pooled features (head.dim 0, head.pooling both) and batches in a random "
               "order; retrieval reads the flow. Use it on small sets, where what a batch has seen "
               "before is worth remembering; costs far more than other losses.",
    .aliases = {"lm"},
}};

}  // namespace
}  // namespace dml
