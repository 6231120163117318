#include "dml/samplers/intra_batch.hpp"

#include <limits>

#include "dml/intra_batch/attention.hpp"
#include "dml/intra_batch/inshop_recall.hpp"
#include "dml/intra_batch/k_reciprocal.hpp"
#include "dml/intra_batch/losses.hpp"
#include "dml/intra_batch/network.hpp"
#include "dml/samplers/group.hpp"
#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/gather.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/softmax_plus_one.hpp"
#include "ops/sum.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

using namespace intra_batch;

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensor as_tensor(const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

/// The values as rows of that many columns.
Tensor as_rows(const std::vector<std::int64_t>& values, std::int64_t columns) {
  return as_tensor(values).reshape({static_cast<std::int64_t>(values.size()) / columns, columns});
}

/// Inputs and parameters of a case with parameters; hands in all gradients of its loss.
class Trial {
 public:
  explicit Trial(Run& run) : run_(run), store_(run.device(), run.type()) {}

  Scope scope() { return Scope(store_); }
  Var input(const std::string& name) {
    const Var x = run_.tape().variable(run_.device().upload(run_.tensor("in." + name)));
    inputs_.emplace_back(name, x);
    return x;
  }
  /// Gives every parameter and buffer the value in the file.
  void load() {
    for (Parameter& one : store_.all())
      for (const std::string prefix : {"param.", "in.buffer."})
        if (run_.given().has(prefix + one.name))
          one.from_file(run_.tensor(prefix + one.name), run_.device());
  }
  void buffers() {
    for (const Parameter& one : store_.all())
      if (run_.given().has("out.buffer." + one.name))
        run_.give("out.buffer." + one.name, one.value);
  }
  void finish(const Var& loss) {
    run_.give("out.loss", loss.value());
    run_.tape().backward(loss);
    for (const auto& [name, x] : inputs_) gradient(name, run_.tape().gradient(x), x.shape());
    for (const Parameter& one : store_.all()) gradient(one.name, one.grad, one.value.shape());
  }

 private:
  void gradient(const std::string& name, const Tensor& found, const Shape& shape) {
    if (!run_.given().has("grad." + name)) return;
    run_.give("grad." + name, found.defined() ? found : Tensor(shape, run_.type()));
  }

  Run& run_;
  ParameterStore store_;
  std::vector<std::pair<std::string, Var>> inputs_;
};

/// Edges (source, target) of a case in the places of a dense matrix of targets and sources.
class Edges {
 public:
  Edges(const Tensor& index, std::int64_t nodes) : nodes_(nodes) {
    for (std::int64_t e = 0; e < index.dim(0); ++e)
      places_.push_back(index.raw<std::int64_t>()[2 * e + 1] * nodes +
                        index.raw<std::int64_t>()[2 * e]);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(places_.size()); }
  /// 0 at the edges, minus infinity elsewhere; undefined for a complete graph.
  Var barrier(Tape& tape, DType type) const {
    if (count() == nodes_ * nodes_) return {};
    Tensor values = Tensor::empty({1, nodes_, nodes_}, type);
    visit_float(type, [&]<class T>() {
      std::fill_n(values.raw<T>(), values.size(), -std::numeric_limits<T>::infinity());
      for (const std::int64_t place : places_) values.raw<T>()[place] = T(0);
    });
    return tape.input(values);
  }
  /// [lines, edges] to [lines, nodes * nodes], 0 where there is no edge.
  Var dense(const Var& x) const {
    const std::int64_t lines = x.value().size() / count();
    const Var zeros = x.constant_like(Tensor({lines, nodes_ * nodes_}, x.dtype()));
    return scatter_add(zeros, 1, index(lines), reshape(x, {lines, count()}));
  }
  /// The way back.
  Var sparse(const Var& x) const {
    const std::int64_t lines = x.value().size() / (nodes_ * nodes_);
    return gather(reshape(x, {lines, nodes_ * nodes_}), 1, index(lines));
  }

 private:
  Tensor index(std::int64_t lines) const {
    std::vector<std::int64_t> all;
    for (std::int64_t l = 0; l < lines; ++l) all.insert(all.end(), places_.begin(), places_.end());
    return as_tensor(all).reshape({lines, count()});
  }
  std::int64_t nodes_;
  std::vector<std::int64_t> places_;
};

Graph graph_of(Run& run, const Edges& edges, std::int64_t nodes) {
  return {.groups = 1, .nodes = nodes, .barrier = edges.barrier(run.tape(), run.type())};
}

/// The masks of a case at their places.
Drop masks_of(Run& run, const Edges& edges, std::int64_t nodes, const std::string& weights_name) {
  const std::map<DropPlace, std::string> names{{DropPlace::weights, weights_name},
                                               {DropPlace::message, "mask_1"},
                                               {DropPlace::hidden, "mask_mlp"},
                                               {DropPlace::update, "mask_2"}};
  return [&run, edges, nodes, names](DropPlace place, const Var& x) {
    const std::string& name = names.at(place);
    if (!run.given().has("in." + name)) return x;
    const Var mask = run.constant(name);
    if (place != DropPlace::weights) return x * mask;
    return x * reshape(edges.dense(mask), {1, mask.dim(0), nodes, nodes});
  };
}

const AddGolden softmax{
    "intra_batch", "edge_softmax_plus_one", [](Run& run) {
      const std::int64_t nodes = run.given().integer("nodes"), heads = run.given().integer("heads");
      Trial trial(run);
      const Var scores = trial.input("scores"), cotangent = trial.input("cotangent");
      const Edges edges(run.tensor("in.edge_index"), nodes);
      Var dense = reshape(edges.dense(scores), {heads, nodes, nodes});
      const Var barrier = edges.barrier(run.tape(), run.type());
      if (barrier.defined()) dense = dense + broadcast_to(barrier, dense.shape());
      const Var weights = reshape(edges.sparse(softmax_plus_one(dense)), scores.shape());
      run.give("out.weights", weights.value());
      trial.finish(sum(weights * cotangent));
    }};

const AddGolden attention{
    "intra_batch", "dot_product_attention", [](Run& run) {
      const Case& given = run.given();
      const std::int64_t nodes = given.integer("nodes");
      Trial trial(run);
      const bool attributes = given.flag("mult_attr");
      const Attention block({.heads = given.integer("heads"),
                             .aggregator = aggregator_of(given.text("aggregator")),
                             .use_attributes = attributes},
                            trial.scope(), given.integer("dim"));
      trial.load();
      const Edges edges(run.tensor("in.edge_index"), nodes);
      Graph graph = graph_of(run, edges, nodes);
      const Var x = trial.input("feats"), cotangent = trial.input("cotangent");
      if (given.has("in.edge_attr")) {
        const Var attribute = trial.input("edge_attr");
        graph.attributes = reshape(edges.dense(attribute), {1, nodes, nodes});
      }
      const Var y = block(x, graph, masks_of(run, edges, nodes, "dropout_mask"));
      run.give("out.y", y.value());
      trial.finish(sum(y * cotangent));
    }};

const AddGolden layer{"intra_batch", "mpn_layer", [](Run& run) {
                        const Case& given = run.given();
                        const std::int64_t nodes = given.integer("nodes");
                        Trial trial(run);
                        const Layer one({.heads = given.integer("heads"),
                                         .aggregator = given.text("aggregator", "add"),
                                         .mlp = given.flag("mlp", true),
                                         .res1 = given.flag("r1", true),
                                         .res2 = given.flag("r2", true),
                                         .norm1 = given.flag("n1", true),
                                         .norm2 = given.flag("n2", true)},
                                        trial.scope(), given.integer("dim"));
                        trial.load();
                        const Edges edges(run.tensor("in.edge_index"), nodes);
                        const Var x = trial.input("feats"), cotangent = trial.input("cotangent");
                        const Var y = one(x, graph_of(run, edges, nodes),
                                          masks_of(run, edges, nodes, "mask_att"));
                        run.give("out.y", y.value());
                        trial.finish(sum(y * cotangent));
                      }};

/// Gives out.edge_attr and out.edge_index of the graph of x.
void give_edges(Run& run, const Var& x, const GraphOptions& options) {
  const Graph graph = make_graph(x, 1, options, true);
  const Tensor w = run.device().dense(graph.attributes.value()).to_host();
  const std::optional<double> threshold = options.threshold();
  std::vector<std::int64_t> index;
  std::vector<double> strength;
  visit_float(w.dtype(), [&]<class T>() {
    for (std::int64_t e = 0; e < w.size(); ++e) {
      if (threshold && !(w.raw<T>()[e] > static_cast<T>(*threshold))) continue;
      index.push_back(e / graph.nodes);
      index.push_back(e % graph.nodes);
      strength.push_back(static_cast<double>(w.raw<T>()[e]));
    }
  });
  run.give("out.edge_attr", strength);
  run.give("out.edge_index", as_rows(index, 2));
}

GraphOptions graph_options(const Case& given) {
  return {.sim_type = given.text("sim_type"),
          .set_negative = given.text("set_negative"),
          .thresh = given.text("thresh")};
}

const AddGolden graph{"intra_batch", "graph_generator", [](Run& run) {
                        give_edges(run, run.constant("features"), graph_options(run.given()));
                      }};

NetworkOptions network_options(const Case& given) {
  return {.layers = given.integer("num_layers"),
          .layer = {.heads = given.integer("heads"),
                    .aggregator = given.text("aggregator", "add"),
                    .mult_attr = given.flag("mult"),
                    .mlp = given.flag("mlp", true),
                    .res1 = given.flag("r1", true),
                    .res2 = given.flag("r2", true),
                    .norm1 = given.flag("n1", true),
                    .norm2 = given.flag("n2", true)},
          .red = given.integer("red", 1),
          .cat = given.flag("cat"),
          .every = given.flag("every"),
          .neck = given.flag("neck", true),
          .graph = graph_options(given)};
}

const AddGolden head{
    "intra_batch", "intra_batch_head", [](Run& run) {
      const Case& given = run.given();
      Trial trial(run);
      const NetworkOptions options = network_options(given);
      Network network(options, trial.scope(), given.integer("embed_dim"),
                      given.integer("num_classes"));
      trial.load();
      if (!given.flag("training", true)) network.freeze_statistics();
      const Var embeddings = trial.input("embeddings"), logits = trial.input("logits");
      const Tensor labels = run.tensor("in.labels");
      const CrossEntropyOptions ce{.label_smoothing = given.number("label_smoothing"),
                                   .temperature = given.number("temperature")};
      const Var fc7 = l2_normalize(embeddings);
      run.give("out.fc7", fc7.value());
      give_edges(run, fc7.detached(), options.graph);
      const Refined refined = network(fc7, 1, {});
      Var loss;
      for (std::size_t i = 0; i < refined.logits.size(); ++i) {
        const std::string tail = options.every ? std::to_string(i) : "";
        run.give("out.mpn_logits" + tail, refined.logits[i].value());
        run.give("out.mpn_feats" + tail, refined.features[i].value());
        const Var one = cross_entropy(refined.logits[i], labels, ce);
        loss = loss.defined() ? loss + one : one;
      }
      run.give("out.loss_mpn", loss.value());
      const Var encoder = cross_entropy(logits, labels, ce);
      if (given.has("out.loss_ce")) run.give("out.loss_ce", encoder.value());
      trial.buffers();
      trial.finish(given.number("scaling_gnn") * loss + given.number("scaling_ce") * encoder);
    }};

/// A loss of one variable and constant targets.
void add_loss(const std::string& op, const std::string& variable,
              const std::function<Var(Run&, const Var&)>& loss) {
  AddGolden("intra_batch", op, [variable, loss](Run& run) {
    const Var x = run.variable(variable);
    run.loss(loss(run, x));
  });
}

Labels labels_of(Run& run, std::int64_t classes) {
  return {list(run.tensor("in.labels")), classes};
}

std::int64_t largest(const Tensor& labels) {
  std::int64_t most = 0;
  for (const std::int64_t label : labels.data<std::int64_t>()) most = std::max(most, label + 1);
  return most;
}

const bool losses = [] {
  add_loss("focal_loss", "logits", [](Run& run, const Var& x) {
    return focal_loss(x, run.tensor("in.labels"), run.given().number("gamma", 7));
  });
  add_loss("center_loss", "features", [](Run& run, const Var& x) {
    const Var centres = run.variable("centers");
    return center_loss(x, centres, labels_of(run, centres.dim(0)));
  });
  add_loss("batch_hard_triplet", "features", [](Run& run, const Var& x) {
    return batch_hard_triplet(x, labels_of(run, largest(run.tensor("in.labels"))),
                              run.given().number("margin", 0.5));
  });
  add_loss("soft_target_ce", "logits", [](Run& run, const Var& x) {
    return soft_target_cross_entropy(x, run.constant("targets"), run.given().number("soft_temp"));
  });
  add_loss("soft_target_kl", "logits", [](Run& run, const Var& x) {
    return soft_target_divergence(x, run.constant("targets"), run.given().number("soft_temp"));
  });
  add_loss("smooth_l1", "features",
           [](Run& run, const Var& x) { return smooth_l1_loss(x, run.constant("targets")); });
  add_loss("relational_distance", "student",
           [](Run& run, const Var& x) { return relational_distance(run.constant("teacher"), x); });
  return true;
}();

const AddGolden recall{
    "intra_batch", "inshop_recall", [](Run& run) {
      const Var similarity = inshop_similarity(run.constant("query"), run.constant("gallery"));
      run.give("out.cos_sim", similarity.value());
      run.give("out.recall",
               inshop_recall(run.device().dense(similarity.value()).to_host(),
                             list(run.tensor("in.query_labels")),
                             list(run.tensor("in.gallery_labels")), list(run.tensor("in.k"))));
    }};

const AddGolden neighbours{
    "intra_batch", "k_reciprocal_batches", [](Run& run) {
      std::vector<std::int64_t> all;
      for (const auto& batch : k_reciprocal_batches(
               run.device(), run.tensor("in.features"),
               {.size = run.given().integer("batch_size"), .k1 = run.given().integer("k1")}))
        all.insert(all.end(), batch.begin(), batch.end());
      run.give("out.batches", as_rows(all, run.given().at("out.batches").dim(1)));
    }};

/// With every permutation replaced by the identity, every choice by the first.
const AddGolden sampler{"intra_batch", "intra_batch_sampler", [](Run& run) {
                          const std::int64_t classes = run.given().integer("classes_per_batch");
                          const std::int64_t images = run.given().integer("samples_per_class");
                          const ChunkChoices first{[](std::vector<std::int64_t>&) {},
                                                   [](std::int64_t) { return std::int64_t{0}; }};
                          std::vector<std::vector<std::int64_t>> chunks;
                          std::int64_t next = 0;
                          for (const std::int64_t size : list(run.tensor("in.class_sizes"))) {
                            std::vector<std::int64_t> own;
                            for (std::int64_t i = 0; i < size; ++i) own.push_back(next++);
                            for (auto& chunk : intra_batch_chunks(own, images, first))
                              chunks.push_back(chunk);
                          }
                          std::vector<std::int64_t> flat;
                          for (const auto& batch : intra_batch_batches(chunks, classes, first))
                            flat.insert(flat.end(), batch.begin(), batch.end());
                          run.give("out.flat", as_tensor(flat));
                          run.give("out.batches", as_rows(flat, classes * images));
                        }};

}  // namespace
}  // namespace dml::golden
