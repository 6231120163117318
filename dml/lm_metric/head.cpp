#include "dml/lm_metric/head.hpp"

#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/categorical.hpp"
#include "ops/gather.hpp"
#include "ops/gru.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/noise.hpp"
#include "ops/reshape.hpp"
#include "ops/sigmoid.hpp"
#include "ops/softmax.hpp"

namespace dml::lm {
namespace {

Init uniform(std::int64_t in) { return init::uniform(1 / std::sqrt(static_cast<double>(in))); }

/// max (a + 1) / n for every action a.   [n]
Tensor weights_of(std::int64_t n, double most, DType type) {
  Tensor table = Tensor::empty({n}, type);
  visit_float(type, [&]<class T>() {
    for (std::int64_t a = 0; a < n; ++a)
      table.raw<T>()[a] =
          static_cast<T>(most * static_cast<double>(a + 1) / static_cast<double>(n));
  });
  return table;
}

}  // namespace

Head::Direction Head::direction(const Scope& scope, const std::string& ending, std::int64_t width) {
  const Init init = uniform(width);
  return {scope.parameter("weight_ih_l0" + ending, {3 * width, width}, init),
          scope.parameter("weight_hh_l0" + ending, {3 * width, width}, init),
          scope.parameter("bias_ih_l0" + ending, {3 * width}, init),
          scope.parameter("bias_hh_l0" + ending, {3 * width}, init)};
}

Head::Linear Head::layer(const Scope& scope, std::int64_t in, std::int64_t out) {
  return {scope.parameter("weight", {out, in}, uniform(in)),
          scope.parameter("bias", {out}, uniform(in))};
}

Var Head::Linear::operator()(const Var& x) const { return linear(x, x.leaf(weight), x.leaf(bias)); }

Head::Head(const Scope& scope, std::int64_t features, const HeadOptions& options)
    : options_(options),
      features_(features),
      forwards_(direction(scope / "smachine", "", features)),
      backwards_(direction(scope / "smachine", "_reverse", features)),
      decision_p_(layer(scope / "decision_fcsp", features, options.actions)),
      decision_n_(layer(scope / "decision_fcsn", features, options.actions)),
      mapping_(layer(scope / "mapping", features, options.dim)),
      flow_(scope / "gflow", options.dim, options.flow) {}

Var Head::states(const Var& x, const Direction& unit, bool reversed) const {
  const Var start = x.constant_like(Tensor({1, features_}, x.dtype()));
  const GruResult result = gru(reshape(x, {x.dim(0), 1, features_}), start,
                               {.input = x.leaf(unit.input),
                                .hidden = x.leaf(unit.hidden),
                                .input_bias = x.leaf(unit.input_bias),
                                .hidden_bias = x.leaf(unit.hidden_bias)},
                               reversed);
  return reshape(result.output, x.shape());
}

Chosen Head::choose(const Var& state, const Linear& decision, const Tensor& action,
                    const Random& random) const {
  const Var logits = decision(state);
  Chosen chosen;
  chosen.probability = softmax(logits);
  const Tensor taken = action.defined()
                           ? state.device().upload(action)
                           : categorical(state.device(), chosen.probability.value(), random).place;
  const std::int64_t n = taken.dim(0);
  chosen.log_prob = reshape(gather(log_softmax(logits), 1, taken.reshape({n, 1})), {n});
  const Var table =
      state.constant_like(weights_of(options_.actions, options_.weight_max, state.dtype()));
  chosen.weight = index_select(table, 0, taken);
  return chosen;
}

Var Head::unit_length(const Var& x) const { return options_.normalize ? l2_normalize(x) : x; }

/// What the memory holds for e.
Var Head::recall(const Var& e, const Var& z, bool live) const {
  return sigmoid(flow_.inverse(z, e, live).map);
}

HeadOutput Head::operator()(const Var& x, const Draws& draws, const Random& random,
                            bool live) const {
  DML_CHECK(x.rank() == 2 && x.dim(1) == features_ && x.dim(0) > 0,
            "lm_metric: features " + to_string(x.shape()) + "; [n, " + std::to_string(features_) +
                "] are needed");
  Device& device = x.device();
  const Shape shape{x.dim(0), options_.dim};
  const Var ahead = states(x, forwards_, false), back = states(x, backwards_, true);
  HeadOutput result;
  result.positive = choose(ahead, decision_p_, draws.action_p, random.split(0));
  result.negative = choose(ahead, decision_n_, draws.action_n, random.split(1));

  const Var e = mapping_(x);
  const Var c = sigmoid(mapping_(0.5 * (ahead + back)));
  result.embedding = unit_length(e + c);

  const Var noise =
      x.constant_like(draws.noise.defined()
                          ? draws.noise
                          : dml::noise(device, {.kind = Noise::uniform, .random = random.split(2)},
                                       shape, x.dtype()));
  result.nll =
      flow_.negative_log_likelihood(flow_.forward(c.detached(), e.detached(), noise, live));
  const Var z = x.constant_like(
      draws.z.defined() ? draws.z
                        : dml::noise(device, {.kind = Noise::normal, .random = random.split(3)},
                                     shape, x.dtype()));
  result.second = unit_length(e + recall(e, options_.flow_sigma * z, live));
  return result;
}

Var Head::retrieve(const Var& x, const Var& z) const {
  const Var e = mapping_(x);
  return unit_length(e + recall(e, z, false));
}

}  // namespace dml::lm
