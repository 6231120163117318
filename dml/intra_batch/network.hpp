#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dml/intra_batch/attention.hpp"
#include "dml/intra_batch/graph.hpp"
#include "engine/parameter.hpp"

namespace dml::intra_batch {

/// A linear layer: x weight^T + bias, the latter null where there is none.
struct Dense {
  Parameter* weight = nullptr;
  Parameter* bias = nullptr;
  /// @param products  of matrices in training, @see products_of
  Var operator()(const Var& x, DType products) const;
};

/// Batch norm in front of a classifier; its bias is not trained.
struct Neck {
  Parameter *weight, *bias, *mean, *variance, *batches;
  /// @param live  by the statistics of the batch, which then move the running ones
  Var operator()(const Var& x, bool live) const;
};

/// Switches of one message-passing layer.
struct LayerOptions {
  std::int64_t heads = 1;
  std::string aggregator = "add";
  bool mult_attr = false;
  bool mlp = true;
  bool res1 = true, res2 = true;
  bool norm1 = true, norm2 = true;
  DType products = DType::f32;  ///< of matrices in training: bf16 or exact
};

/// One layer of message passing, a transformer's with its norms behind:
///   x = LN1(x + attention(x));  x = LN2(x + W2 relu(W1 x + b1) + b2),  4 d hidden numbers.
/// Parameters `att.*`, `linear1.*`, `linear2.*`, `norm1.*`, `norm2.*`.
class Layer {
 public:
  Layer(const LayerOptions& options, const Scope& scope, std::int64_t dim);
  /// [g n, dim] -> [g n, dim]
  Var operator()(const Var& x, const Graph& graph, const Drop& drop) const;

 private:
  struct Norm {
    Parameter *weight, *bias;
  };
  static Norm make_norm(const Scope& scope, std::int64_t dim);
  static Var apply_norm(const Norm& norm, const Var& x);

  LayerOptions options_;
  Attention attention_;
  std::optional<Dense> first_, second_;
  std::optional<Norm> norm1_, norm2_;
};

/// @see Network
struct NetworkOptions {
  std::int64_t layers = 1;
  LayerOptions layer{};
  std::int64_t red = 1;
  bool cat = false;
  bool every = false;
  bool neck = true;
  GraphOptions graph{};
};

/// What the message passing makes of the nodes of a batch: one entry, or with `every` one per
/// layer.
struct Refined {
  std::vector<Var> features;  ///< [g n, width] normalised, before the neck
  std::vector<Var> logits;    ///< [g n, classes]; empty where none were asked for
};

/// The message-passing network of intra-batch connections: projection, layers, necks and
/// classifiers. Parameters have the names of the published state dict: `dim_red.*`,
/// `gnn_model.node_model.layers.<l>.*`, `bottleneck.<i>.*`, `fc.<i>.*`.
class Network {
 public:
  /// @throws UsageError for sizes and switches that contradict each other.
  Network(const NetworkOptions& options, const Scope& scope, std::int64_t dim,
          std::int64_t classes);

  /// @param x       [g n, dim] nodes, g graphs one behind the other
  /// @param drop    of every layer; empty: nothing is dropped
  Refined operator()(const Var& x, std::int64_t groups, const Drop& drop,
                     bool want_logits = true) const;
  /// Numbers of a refined feature.
  std::int64_t width() const { return width_; }
  /// From now on necks use their running statistics on training tapes as well.
  void freeze_statistics() { live_ = false; }

 private:
  struct Classifier {
    std::optional<Neck> neck;
    Dense dense;  ///< without bias behind a neck
  };
  void add_classifier(const Scope& scope, int index, std::int64_t classes);
  Var classify(const Classifier& one, const Var& x) const;

  NetworkOptions options_;
  std::int64_t width_;
  Dense projection_;
  std::vector<Layer> layers_;
  bool live_ = true;
  std::vector<Classifier> classifiers_;
};

}  // namespace dml::intra_batch
