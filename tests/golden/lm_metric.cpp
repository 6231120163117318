// LM-Metric: criteria with weights, policy, recurrent unit.
#include "dml/lm_metric/criteria.hpp"
#include "dml/miners/distance_weighting.hpp"
#include "dml/revisiting/criteria.hpp"
#include "ops/arithmetic.hpp"
#include "ops/distance.hpp"
#include "ops/gather.hpp"
#include "ops/gru.hpp"
#include "ops/matmul.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "tests/golden/module.hpp"

namespace dml::golden {
namespace {

constexpr Loose steep{.relative = 1e-3,
                      .reason =
                          "differences of similarities are divided by 0.01 before the "
                          "exponential, which multiplies their f32 rounding by a hundred"};

/// The inputs that all criteria with weights have, as variables.
struct Weighted {
  explicit Weighted(Run& run)
      : v(run.variable("embeddings")),
        phi_p(run.variable("phi_p")),
        phi_n(run.variable("phi_n")),
        labels(labels_of(run)) {
    if (run.given().has("in.embeddings2")) v2 = run.variable("embeddings2");
  }

  Var v, v2, phi_p, phi_n;
  Labels labels;
};

/// The loss with all gradients; those of the weights are out.dloss_dphi_*.
void finish(Run& run, const Weighted& w, const Var& loss) {
  run.give("out.loss", loss.value());
  run.tape().backward(loss);
  for (const auto& [name, variable] : {std::pair{"grad.embeddings", w.v},
                                       {"grad.embeddings2", w.v2},
                                       {"out.dloss_dphi_p", w.phi_p},
                                       {"out.dloss_dphi_n", w.phi_n}})
    if (run.given().has(name)) run.give(name, gradient_of(run.tape(), variable));
}

const AddGolden smoothap{"lm_metric", "smoothap_weighted", [](Run& run) {
                           const Weighted w(run);
                           const double tau = run.given().number("tau", 0.01);
                           for (const char* name : {"out.loss", "grad.embeddings",
                                                    "grad.embeddings2", "out.dloss_dphi_p"})
                             run.loosen(name, steep);
                           finish(run, w,
                                  lm::weighted_smooth_ap(w.v, w.labels, w.phi_p, tau) +
                                      lm::weighted_smooth_ap(w.v2, w.labels, w.phi_p, tau));
                         }};

revisiting::Triplets triplets_of(const Run& run, const std::string& name) {
  const Tensor table = run.tensor(name);
  std::array<std::vector<std::int64_t>, 3> columns;
  for (std::int64_t i = 0; i < table.size(); ++i)
    columns[static_cast<std::size_t>(i % 3)].push_back(table.raw<std::int64_t>()[i]);
  const auto upload = [&](std::size_t k) {
    return run.device().upload(Tensor::of<std::int64_t>({table.dim(0)}, columns[k]));
  };
  return {upload(0), upload(1), upload(2)};
}

const AddGolden margin{
    "lm_metric", "margin_weighted", [](Run& run) {
      const Weighted w(run);
      const Case& given = run.given();
      const bool learnt = given.has("param.beta");
      const Var beta = learnt ? run.variable("beta") : Var{};
      const auto one = [&](const Var& v, const std::string& list) {
        const revisiting::Triplets triplets = triplets_of(run, list);
        const std::int64_t count = triplets.anchor.size();
        Var by_triplet;
        if (learnt) {
          by_triplet = index_select(index_select(beta, 0, w.labels.tensor()), 0, triplets.anchor);
        } else {
          by_triplet = v.constant_like(Tensor({count}, v.dtype())) + given.number("beta", 1.2);
        }
        return revisiting::margin(
            v, triplets, by_triplet,
            {.margin = given.number("margin", 0.2), .nu = given.number("nu", 0)}, w.phi_p, w.phi_n);
      };
      finish(run, w, one(w.v, "in.triplets") + one(w.v2, "in.triplets2"));
      if (learnt) run.give("grad.beta", gradient_of(run.tape(), beta));
    }};

const AddGolden proxy_anchor{
    "lm_metric", "proxy_anchor_weighted", [](Run& run) {
      const Weighted w(run);
      const Var first = run.variable("proxies"), second = run.variable("proxies2");
      const Labels labels({w.labels.of().begin(), w.labels.of().end()}, first.dim(0));
      const double alpha = run.given().number("alpha", 32),
                   delta = run.given().number("margin", 0.1);
      for (const char* name : {"out.loss", "grad.embeddings", "grad.embeddings2", "grad.proxies",
                               "grad.proxies2", "out.dloss_dphi_p"})
        run.loosen(name, {.relative = 3e-5,
                          .reason = "cosines are multiplied by alpha inside the exponential"});
      finish(run, w,
             lm::weighted_proxy_anchor(w.v, labels, first, w.phi_p, alpha, delta) +
                 lm::weighted_proxy_anchor(w.v2, labels, second, w.phi_p, alpha, delta));
      run.give("grad.proxies", gradient_of(run.tape(), first));
      run.give("grad.proxies2", gradient_of(run.tape(), second));
    }};

const AddGolden softmax_case{
    "lm_metric", "softmax_weighted", [](Run& run) {
      const Weighted w(run);
      const Var map = run.variable("class_map");
      const Labels labels({w.labels.of().begin(), w.labels.of().end()}, map.dim(0));
      finish(run, w, lm::weighted_softmax(w.v, labels, map, w.phi_p));
      run.give("grad.class_map", gradient_of(run.tape(), map));
    }};

const AddGolden reward{
    "lm_metric", "ap_reward", [](Run& run) {
      run.give("out.reward",
               lm::batch_average_precision(run.constant("embeddings"), labels_of(run)).value());
    }};

const AddGolden policy{
    "lm_metric", "policy_loss", [](Run& run) {
      const Var hidden = run.variable("hidden");
      const Var gain = lm::batch_average_precision(run.constant("embeddings"), labels_of(run));
      run.give("out.reward", gain.value());
      Var loss;
      for (const std::string role : {"p", "n"}) {
        const Var weight = run.variable(role + ".weight");
        const Var logits = linear(hidden, weight, run.variable(role + ".bias"));
        const Tensor action = run.tensor("in.action_" + role);
        const std::int64_t n = action.dim(0), actions = weight.dim(0);
        std::vector<double> weights;
        for (const std::int64_t a : action.data<std::int64_t>())
          weights.push_back(static_cast<double>(a + 1) / static_cast<double>(actions));
        run.give("out.weight_" + role, weights);
        run.give("out.prob_" + role, softmax(logits).value());
        const Var log_prob = reshape(gather(log_softmax(logits), 1, action.reshape({n, 1})), {n});
        run.give("out.log_prob_" + role, log_prob.value());
        const Var one = -mean(log_prob * gain);
        run.give("out.loss_" + role, one.value());
        loss = loss.defined() ? loss + one : one;
      }
      run.loss(loss);
    }};

const AddGolden miner{"lm_metric", "miner_distance_nan_safe", [](Run& run) {
                        const Var x = run.constant("embeddings");
                        const Tensor of = run.device().upload(run.tensor("in.labels"));
                        Tensor p = run.device().empty({x.dim(0), x.dim(0)}, run.type());
                        kernel::distance_weighting(
                            run.device(), distance_by_product(x, x).value(), of, of,
                            {.dim = static_cast<double>(x.dim(1)),
                             .cutoff = run.given().number("lower_cutoff", 0.5),
                             .nan_to_number = true},
                            p);
                        run.give("out.prob", p);
                      }};

GruWeights gru_weights(Run& run, const std::string& ending) {
  return {run.variable("weight_ih" + ending), run.variable("weight_hh" + ending),
          run.variable("bias_ih" + ending), run.variable("bias_hh" + ending)};
}

/// The sum of products with in.cotangent is the loss.
void finish(Run& run, const Var& y) { run.loss(sum(y * run.constant("cotangent"))); }

const AddGolden gru_case{
    "lm_metric", "gru", [](Run& run) {
      const Var x = run.variable("x");
      const std::int64_t time = x.dim(0);
      const Var sequence = reshape(x, {time, 1, x.dim(1)});
      const bool both = run.given().has("param.weight_hh_l0_reverse");
      const GruWeights ahead = gru_weights(run, "_l0");
      const std::int64_t hidden = ahead.hidden.dim(1), directions = both ? 2 : 1;
      const Var start = run.tape().input(Tensor({directions, 1, hidden}, run.type()));
      GruResult result;
      if (both) {
        result = bidirectional_gru(sequence, start, ahead, gru_weights(run, "_l0_reverse"));
      } else {
        result = gru(sequence, reshape(start, {1, hidden}), ahead);
      }
      const Var states = reshape(result.output, {time, directions, hidden});
      run.give("out.states", states.value());
      run.give("out.final", reshape(result.last, {directions, hidden}).value());
      finish(run, states);
    }};

const AddGolden cell{"lm_metric", "gru_cell", [](Run& run) {
                       const Var h =
                           gru_cell(run.variable("x"), run.variable("h"), gru_weights(run, ""));
                       run.give("out.h", h.value());
                       finish(run, h);
                     }};

}  // namespace
}  // namespace dml::golden
