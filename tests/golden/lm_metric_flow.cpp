// LM-Metric: the conditional flow, and the whole head.
#include "dml/lm_metric/flow.hpp"
#include "dml/lm_metric/system.hpp"
#include "ops/arithmetic.hpp"
#include "ops/pool2d.hpp"
#include "ops/reshape.hpp"
#include "ops/sigmoid.hpp"
#include "ops/sum.hpp"
#include "tests/golden/module.hpp"

namespace dml::golden {
namespace {

constexpr Loose deep{.relative = 3e-4,
                     .reason =
                         "f32 roundings of many couplings with exponentials, of batch norms "
                         "over few values, and of their gradients"};

void loosen_all(Run& run, const Loose& loose) {
  for (const auto& [name, tensor] : run.given().contents().tensors)
    if (name.starts_with("out.") || name.starts_with("grad.")) run.loosen(name, loose);
}

/// A map of the file as a variable in the layout of the engine.
Var map_of(Run& run, Tape& tape, const std::string& name) {
  return tape.variable(run.device().upload(to_channels_last(run.tensor(name))));
}

/// Vectors that the file holds as [n, 1, 16, d / 16].
Tensor flat(const Run& run, const std::string& name) {
  const Tensor x = run.tensor(name);
  return x.reshape({x.dim(0), x.size() / x.dim(0)});
}

void give_map(Run& run, const std::string& name, const Tensor& map) {
  run.give(name, to_channels_first(run.device().dense(map).to_host()));
}

void give_flat(Run& run, const std::string& name, const Tensor& rows) {
  run.give(name, run.device().dense(rows).to_host().reshape(run.given().at(name).shape()));
}

const AddGolden squeeze_case{"lm_metric", "squeeze", [](Run& run) {
                               const Var y = lm::squeeze(run.map("x"));
                               run.output_map("y", y);
                               if (run.given().has("out.inverse"))
                                 run.output_map("inverse", lm::unsqueeze(y));
                             }};

const AddGolden actnorm{"lm_metric", "actnorm", [](Run& run) {
                          const Var x = run.map("x");
                          ParameterStore store(run.device(), run.type());
                          const lm::ActNorm layer(Scope(store), x.dim(3));
                          const Var none = x.constant_like(Tensor({x.dim(0)}, run.type()));
                          const lm::Flowing y = layer.forward({x, none}, true);
                          run.give("out.bias", store.find("bias")->to_file());
                          run.give("out.logs", store.find("logs")->to_file());
                          run.output_map("y", y.map);
                          run.give("out.log_det", y.log_det.value());
                        }};

const AddGolden invconv{"lm_metric", "invconv", [](Run& run) {
                          const auto tape = Tape::train(run.device());
                          ParameterStore store(run.device(), run.type());
                          const Var x = map_of(run, *tape, "in.x");
                          const lm::InvertibleConv layer(Scope(store), x.dim(3));
                          fill_from(run, store);
                          const Var none = x.constant_like(Tensor({x.dim(0)}, run.type()));
                          const lm::Flowing y = layer.forward({x, none});
                          const lm::Flowing back = layer.inverse({y.map.detached(), none});
                          give_map(run, "out.y", y.map.value());
                          run.give("out.log_det", y.log_det.value());
                          give_map(run, "out.inverse", back.map.value());
                          run.give("out.inverse_log_det", back.log_det.value());
                          const Var upstream =
                              x.constant_like(to_channels_last(run.tensor("in.cotangent")));
                          const Var loss = sum(y.map * upstream) + sum(y.log_det);
                          run.give("out.loss", loss.value());
                          tape->backward(loss);
                          give_map(run, "grad.x", gradient_of(*tape, x));
                          give_module(run, store);
                        }};

const AddGolden coupling{
    "lm_metric", "coupling", [](Run& run) {
      loosen_all(run, deep);
      const auto tape = Tape::train(run.device());
      ParameterStore store(run.device(), run.type());
      const Var x = map_of(run, *tape, "in.x"), e = map_of(run, *tape, "in.cond");
      const std::int64_t middle = run.given().at("param.nn.in_conv.weight").dim(0);
      const lm::Coupling layer(Scope(store), x.dim(3), e.dim(3), middle);
      fill_from(run, store);
      const Var none = x.constant_like(Tensor({x.dim(0)}, run.type()));
      const lm::Flowing y = layer.forward({x, none}, e, run.given().flag("train"));
      give_map(run, "out.y", y.map.value());
      run.give("out.log_det", y.log_det.value());
      const Var upstream = x.constant_like(to_channels_last(run.tensor("in.cotangent")));
      const Var loss = sum(y.map * upstream) + sum(y.log_det * run.constant("cotangent_log_det"));
      run.give("out.loss", loss.value());
      tape->backward(loss);
      give_map(run, "grad.x", gradient_of(*tape, x));
      give_map(run, "grad.cond", gradient_of(*tape, e));
      give_module(run, store);
    }};

/// The layers of a filled flow have seen their first batch.
void mark_started(ParameterStore& store) {
  for (Parameter& one : store.all())
    if (one.name.ends_with("is_initialized"))
      one.from_file(Tensor::of<double>({1}, {1.0}), store.device());
}

const AddGolden flow_case{
    "lm_metric", "conditional_flow", [](Run& run) {
      loosen_all(run, deep);
      const Case& given = run.given();
      const bool live = given.flag("train");
      const auto tape = Tape::train(run.device());
      ParameterStore store(run.device(), run.type());
      const Var c = tape->variable(run.device().upload(flat(run, "in.x")));
      const Var e = tape->variable(run.device().upload(flat(run, "in.cond")));
      const lm::ConditionalFlow flow(Scope(store), c.dim(1),
                                     {.levels = given.integer("levels"),
                                      .steps = given.integer("steps"),
                                      .channels = given.integer("mid_channels")});
      fill_from(run, store);
      mark_started(store);
      const auto found = flow.forward(c, e, tape->input(flat(run, "in.dequant_noise")), live);
      const Var loss = flow.negative_log_likelihood(found);
      give_flat(run, "out.z", found.latent.value());
      run.give("out.log_det", found.log_det.value());
      run.give("out.loss", loss.value());
      tape->backward(loss);
      give_flat(run, "grad.x", gradient_of(*tape, c));
      give_flat(run, "grad.cond", gradient_of(*tape, e));
      give_module(run, store);
      if (!given.has("in.z_sample")) return;
      const auto reading = Tape::infer(run.device());
      const Var condition = reading->input(flat(run, "in.cond"));
      give_flat(run, "out.inverse_of_z",
                flow.inverse(reading->input(found.latent.value()), condition, false).map.value());
      const lm::Flowing sample =
          flow.inverse(reading->input(flat(run, "in.z_sample")), condition, false, true);
      give_flat(run, "out.sample", sample.map.value());
      give_flat(run, "out.sample_sigmoid", sigmoid(sample.map).value());
      run.give("out.inverse_log_det", sample.log_det.value());
    }};

/// "pn" or "p and n", but not "p only".
bool both_terms(const std::string& text) {
  return text.find("only") == std::string::npos && text.find('n') != std::string::npos;
}

/// The system of a case with its weights.
struct Filled {
  explicit Filled(Run& run) : store(run.device(), run.type()), labels(labels_of(run)) {
    const Case& given = run.given();
    const std::int64_t hidden = given.integer("hidden"), dim = given.integer("embed_dim");
    system = std::make_unique<lm::System>(
        Loss::Setup{
            .scope = Scope(store), .dim = hidden, .features = hidden, .classes = labels.classes()},
        lm::SystemOptions{.head = {.dim = dim,
                                   .actions = given.integer("n_actions"),
                                   .flow_sigma = given.number("sigma", 0.6),
                                   .flow = {.levels = given.integer("flow_levels"),
                                            .steps = given.integer("flow_steps"),
                                            .channels = given.integer("flow_channels")}},
                          .policy_weight = given.number("policy_weight", 0),
                          .policy_terms = both_terms(given.text("policy_terms", "p")) ? "pn" : "p",
                          .tau = given.number("tau", 0.01)});
    fill_from(run, store);
    mark_started(store);
  }

  ParameterStore store;
  Labels labels;
  std::unique_ptr<lm::System> system;
};

Var pooled_of(const Var& map) { return global_avg_pool(map) + global_max_pool(map); }

lm::StepDraws draws_of(const Run& run) {
  lm::StepDraws draws;
  draws.head = {.action_p = run.tensor("in.action_p"),
                .action_n = run.tensor("in.action_n"),
                .noise = flat(run, "in.dequant_noise"),
                .z = flat(run, "in.z2")};
  return draws;
}

void give_head(Run& run, const lm::HeadOutput& head) {
  run.give("out.phi_p", head.positive.weight.value());
  run.give("out.phi_n", head.negative.weight.value());
  run.give("out.log_prob_p", head.positive.log_prob.value());
  run.give("out.log_prob_n", head.negative.log_prob.value());
  run.give("out.nll", head.nll.value());
}

void evaluate(Run& run) {
  Filled filled(run);
  const auto tape = Tape::infer(run.device());
  const Var x = pooled_of(tape->input(to_channels_last(run.tensor("in.feature_map"))));
  run.give("out.pooled", x.value());
  const lm::Head& head = filled.system->head();
  give_head(run, head(x, draws_of(run).head, {0, Purpose::mine}, false));
  const double sigma = run.given().number("sigma", 0.6);
  for (const auto& [z, name] : {std::pair{"in.z1", "out.embedding"}, {"in.z2", "out.embedding2"}})
    run.give(name, head.retrieve(x, sigma * tape->input(flat(run, z))).value());
}

void train(Run& run) {
  Filled filled(run);
  const auto tape = Tape::train(run.device());
  const Var map = map_of(run, *tape, "in.feature_map");
  const Var x = pooled_of(map);
  run.give("out.pooled", x.value());
  const lm::SystemTerms terms =
      (*filled.system)({.embedding = x, .features = x, .labels = filled.labels}, draws_of(run));
  give_head(run, terms.head);
  run.give("out.embedding", terms.head.embedding.value());
  run.give("out.embedding2", terms.head.second.value());
  run.give("out.metric_loss", terms.metric.value());
  // A policy that is not trained is still stated in the file.
  const Var reward = lm::batch_average_precision(terms.head.embedding, filled.labels);
  run.give("out.reward", reward.value());
  run.give("out.policy_loss", terms.policy.defined()
                                  ? terms.policy.value()
                                  : (-mean(terms.head.positive.log_prob * reward)).value());
  run.give("out.loss", terms.loss.value());
  tape->backward(terms.loss);
  give_map(run, "grad.feature_map", gradient_of(*tape, map));
  give_module(run, filled.store);
}

const AddGolden head_case{"lm_metric", "lm_head", [](Run& run) {
                            loosen_all(run, {.relative = 2e-3,
                                             .reason = "the flow's roundings in f32 through ranks "
                                                       "at a temperature of 0.01"});
                            run.given().has("out.loss") ? train(run) : evaluate(run);
                          }};

}  // namespace
}  // namespace dml::golden
