#include "dml/intra_batch/network.hpp"

#include <fmt/core.h>

#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/batch_norm.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/layer_norm.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/slice.hpp"

namespace dml::intra_batch {
namespace {

Init fan_in(std::int64_t in) { return init::uniform(1 / std::sqrt(static_cast<double>(in))); }

Dense make_dense(const Scope& scope, std::int64_t in, std::int64_t out) {
  return {&scope.parameter("weight", {out, in}, fan_in(in)),
          &scope.parameter("bias", {out}, fan_in(in))};
}

Neck make_neck(const Scope& scope, std::int64_t width) {
  Parameter& weight = scope.parameter("weight", {width}, init::constant(1));
  Parameter& bias = scope.parameter("bias", {width}, init::zeros());
  bias.trainable = false;
  Parameter& mean = scope.buffer("running_mean", {width}, init::zeros());
  Parameter& variance = scope.buffer("running_var", {width}, init::constant(1));
  return {&weight, &bias, &mean, &variance, &scope.counter("num_batches_tracked")};
}

Var dropped(const Drop& drop, DropPlace place, const Var& x) { return drop ? drop(place, x) : x; }

std::int64_t reduced(const NetworkOptions& options, std::int64_t dim) {
  if (options.red < 1 || dim % options.red != 0)
    throw UsageError(
        fmt::format("an embedding of {} numbers cannot be divided by red = {}", dim, options.red));
  return dim / options.red;
}

const NetworkOptions& network_options(const NetworkOptions& options) {
  if (options.layers < 1)
    throw UsageError(fmt::format("{} layers were asked for; at least 1 is needed", options.layers));
  if (options.cat && options.every)
    throw UsageError(
        "cat joins the layers for one classifier, every gives each its own: take one of the two");
  options.graph.threshold();
  return options;
}

}  // namespace

Var Dense::operator()(const Var& x, DType products) const {
  return linear(x, x.leaf(*weight), bias == nullptr ? Var{} : x.leaf(*bias),
                products_of(x, products));
}

Var Neck::operator()(const Var& x, bool live) const {
  RunningStatistics running{mean->value, variance->value, batches->value};
  return batch_norm(x, x.leaf(*weight), x.leaf(*bias), running,
                    {.batch_statistics = x.training() && live});
}

Layer::Norm Layer::make_norm(const Scope& scope, std::int64_t dim) {
  return {&scope.parameter("weight", {dim}, init::constant(1)),
          &scope.parameter("bias", {dim}, init::zeros())};
}

Var Layer::apply_norm(const Norm& norm, const Var& x) {
  return layer_norm(x, x.leaf(*norm.weight), x.leaf(*norm.bias));
}

Layer::Layer(const LayerOptions& options, const Scope& scope, std::int64_t dim)
    : options_(options),
      attention_({.heads = options.heads,
                  .aggregator = aggregator_of(options.aggregator),
                  .use_attributes = options.mult_attr,
                  .products = options.products},
                 scope / "att", dim) {
  if (options.mlp) {
    first_ = make_dense(scope / "linear1", dim, 4 * dim);
    second_ = make_dense(scope / "linear2", 4 * dim, dim);
  }
  if (options.norm1) norm1_ = make_norm(scope / "norm1", dim);
  if (options.norm2) norm2_ = make_norm(scope / "norm2", dim);
}

Var Layer::operator()(const Var& in, const Graph& graph, const Drop& drop) const {
  const Var message = dropped(drop, DropPlace::message, attention_(in, graph, drop));
  Var x = options_.res1 ? in + message : message;
  if (norm1_) x = apply_norm(*norm1_, x);
  Var update = x;
  if (first_) {
    const Var hidden = dropped(drop, DropPlace::hidden, relu((*first_)(x, options_.products)));
    update = dropped(drop, DropPlace::update, (*second_)(hidden, options_.products));
  }
  x = options_.res2 ? x + update : update;
  return norm2_ ? apply_norm(*norm2_, x) : x;
}

Network::Network(const NetworkOptions& options, const Scope& scope, std::int64_t dim,
                 std::int64_t classes)
    : options_(network_options(options)) {
  const std::int64_t inner = reduced(options, dim);
  width_ = options.cat ? options.layers * inner : inner;
  projection_ = make_dense(scope / "dim_red", dim, inner);
  const Scope place = scope / "gnn_model" / "node_model" / "layers";
  for (int l = 0; l < options.layers; ++l) layers_.emplace_back(options.layer, place / l, inner);
  const int count = options.every ? static_cast<int>(options.layers) : 1;
  for (int i = 0; i < count; ++i) add_classifier(scope, i, classes);
}

void Network::add_classifier(const Scope& scope, int index, std::int64_t classes) {
  Classifier one{};
  const Scope fc = scope / "fc" / index;
  if (options_.neck) {
    one.neck = make_neck(scope / "bottleneck" / index, width_);
    one.dense.weight = &fc.parameter("weight", {classes, width_}, init::normal(0.001));
  } else {
    one.dense = make_dense(fc, width_, classes);
  }
  classifiers_.push_back(one);
}

Var Network::classify(const Classifier& one, const Var& x) const {
  return one.dense(one.neck ? (*one.neck)(x, live_) : x, options_.layer.products);
}

Refined Network::operator()(const Var& nodes, std::int64_t groups, const Drop& drop,
                            bool want_logits) const {
  const Graph graph = make_graph(nodes, groups, options_.graph, options_.layer.mult_attr);
  Var x = projection_(nodes, options_.layer.products);
  std::vector<Var> outputs;
  for (const Layer& layer : layers_) outputs.push_back(x = layer(x, graph, drop));
  if (options_.cat) outputs = {concat(outputs, 1)};
  if (!options_.every && !options_.cat) outputs = {outputs.back()};
  Refined refined;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    refined.features.push_back(l2_normalize(outputs[i]));
    if (want_logits) refined.logits.push_back(classify(classifiers_[i], outputs[i]));
  }
  return refined;
}

}  // namespace dml::intra_batch
