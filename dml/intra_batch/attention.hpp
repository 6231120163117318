#pragma once
#include <cstdint>
#include <functional>

#include "dml/intra_batch/graph.hpp"
#include "engine/parameter.hpp"
#include "engine/tape.hpp"

namespace dml::intra_batch {

/// The places where the message passing drops elements at random.
enum class DropPlace : std::uint8_t {
  weights,  ///< the attention weights, [g, heads, targets, sources]
  message,  ///< what attention gives, [g n, d]
  hidden,   ///< the inner layer of the perceptron, behind its ReLU, [g n, 4 d]
  update,   ///< what the perceptron gives, [g n, d]
};

/// What becomes of a value at one of those places. Empty: nothing.
using Drop = std::function<Var(DropPlace, const Var&)>;

/// How the messages to a node become one.
enum class Aggregator : std::uint8_t { add, mean, max };

/// "add", "mean" or "max". @throws UsageError for other words.
Aggregator aggregator_of(const std::string& name);

/// What matrices are multiplied in, bf16 or exact: as wanted in training, exact at inference.
inline DType products_of(const Var& x, DType wanted) { return x.training() ? wanted : DType::f32; }

/// The share of its attention that every target gives to every source, per head: exp of the score,
/// divided by 1 plus the sum of the same over all sources that it is joined with.
///   queries, keys [g, h, n, d / h] -> [g, h, n, n]
Var attention_weights(const Var& queries, const Var& keys, const Graph& graph,
                      DType products = DType::f32);

/// The messages that reach every target: sources' values times weights, made one.
///   weights [g, h, n, n], values [g, h, n, d / h] -> [g, h, n, d / h]
/// A target that no source reaches gets 0.
Var aggregate(const Var& weights, const Var& values, const Graph& graph, Aggregator aggregator,
              DType products = DType::f32);

/// Dot-product attention between the nodes of a batch, as the published code of intra-batch
/// connections computes it. Parameters `q_linear`, `k_linear`, `v_linear`, `out`, each with weight
/// [d, d] and bias [d].
class Attention {
 public:
  struct Options {
    std::int64_t heads = 1;
    Aggregator aggregator = Aggregator::add;
    bool use_attributes = false;  ///< weights are multiplied with the attributes of the edges
    DType products = DType::f32;  ///< of matrices in training: bf16 or exact
  };

  /// @throws UsageError unless heads divides dim.
  Attention(const Options& options, const Scope& scope, std::int64_t dim);
  /// [g n, dim] -> [g n, dim]
  Var operator()(const Var& x, const Graph& graph, const Drop& drop) const;

 private:
  struct Layer {
    Parameter *weight, *bias;
    Var operator()(const Var& x, DType products) const;
  };
  static Layer make(const Scope& scope, std::int64_t dim);

  Options options_;
  Layer query_, key_, value_, out_;
};

}  // namespace dml::intra_batch
