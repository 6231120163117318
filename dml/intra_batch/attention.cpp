#include "dml/intra_batch/attention.hpp"

#include <fmt/core.h>

#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/exp.hpp"
#include "ops/matmul.hpp"
#include "ops/max_axis.hpp"
#include "ops/permute.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/softmax_plus_one.hpp"
#include "ops/sum.hpp"

namespace dml::intra_batch {
namespace {

/// [g, n, n] for all heads: [g, h, n, n]
Var for_heads(const Var& x, const Shape& shape) {
  return repeat(reshape(x, {shape[0], 1, shape[2], shape[3]}), 1, shape[1]);
}

/// How many sources reach every target, 1 at least, in the shape of the messages.
Var incoming(const Graph& graph, const Shape& shape) {
  const Var count = clamp_min(sum(exp(graph.barrier), 2), 1);  // [g, n]
  return broadcast_to(reshape(count, {shape[0], 1, shape[2], 1}), shape);
}

/// The largest message per element, 0 where there is none.
Var largest(const Var& weights, const Var& values, const Graph& graph) {
  const std::int64_t g = values.dim(0), h = values.dim(1), n = values.dim(2), d = values.dim(3);
  const Shape all{g, h, n, n, d};  // target, source
  Var messages = broadcast_to(reshape(weights, {g, h, n, n, 1}), all) *
                 broadcast_to(reshape(values, {g, h, 1, n, d}), all);
  if (!graph.barrier.defined()) return max(messages, 3).values;
  // A finite floor: what is not there must lose, and 0 times minus infinity is no number.
  const Var floor = clamp_min(graph.barrier, -1e30);
  messages = messages + broadcast_to(reshape(floor, {g, 1, n, n, 1}), all);
  const Var reached = amax(exp(graph.barrier), 2);  // [g, n] 0 or 1
  return max(messages, 3).values * broadcast_to(reshape(reached, {g, 1, n, 1}), values.shape());
}

}  // namespace

Aggregator aggregator_of(const std::string& name) {
  if (name == "add") return Aggregator::add;
  if (name == "mean") return Aggregator::mean;
  if (name == "max") return Aggregator::max;
  throw UsageError(fmt::format("no aggregator named '{}'; known: add, mean, max", name));
}

Var attention_weights(const Var& queries, const Var& keys, const Graph& graph, DType products) {
  const double scale = 1 / std::sqrt(static_cast<double>(queries.dim(3)));
  Var scores = matmul(queries, keys, {.b = true}, products) * scale;  // [g, h, target, source]
  if (graph.barrier.defined()) scores = scores + for_heads(graph.barrier, scores.shape());
  return softmax_plus_one(scores);
}

Var aggregate(const Var& weights, const Var& values, const Graph& graph, Aggregator aggregator,
              DType products) {
  if (aggregator == Aggregator::max) return largest(weights, values, graph);
  const Var sums = matmul(weights, values, {}, products);  // [g, h, n, d / h]
  if (aggregator == Aggregator::add) return sums;
  if (!graph.barrier.defined()) return sums / static_cast<double>(graph.nodes);
  return sums / incoming(graph, sums.shape());
}

Var Attention::Layer::operator()(const Var& x, DType products) const {
  return linear(x, x.leaf(*weight), x.leaf(*bias), products);
}

Attention::Layer Attention::make(const Scope& scope, std::int64_t dim) {
  const double bound = std::sqrt(6.0 / static_cast<double>(dim + dim));  // Xavier
  return {&scope.parameter("weight", {dim, dim}, init::uniform(bound)),
          &scope.parameter("bias", {dim}, init::zeros())};
}

Attention::Attention(const Options& options, const Scope& scope, std::int64_t dim)
    : options_(options) {
  if (options.heads < 1 || dim % options.heads != 0)
    throw UsageError(fmt::format(
        "{} numbers of a node cannot be shared by {} heads\n  take a number of heads that divides "
        "the size of the embedding",
        dim, options.heads));
  query_ = make(scope / "q_linear", dim);
  value_ = make(scope / "v_linear", dim);
  key_ = make(scope / "k_linear", dim);
  out_ = make(scope / "out", dim);
}

Var Attention::operator()(const Var& x, const Graph& graph, const Drop& drop) const {
  const std::int64_t d = x.dim(1), h = options_.heads;
  const auto heads = [&](const Var& all) {  // [g n, d] -> [g, h, n, d / h]
    return permute(reshape(all, {graph.groups, graph.nodes, h, d / h}), {0, 2, 1, 3});
  };
  const DType products = products_of(x, options_.products);
  Var weights =
      attention_weights(heads(query_(x, products)), heads(key_(x, products)), graph, products);
  if (drop) weights = drop(DropPlace::weights, weights);
  if (options_.use_attributes) weights = weights * for_heads(graph.attributes, weights.shape());
  const Var message =
      aggregate(weights, heads(value_(x, products)), graph, options_.aggregator, products);
  return out_(reshape(permute(message, {0, 2, 1, 3}), {x.dim(0), d}), products);
}

}  // namespace dml::intra_batch
