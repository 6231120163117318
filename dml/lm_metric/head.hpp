#pragma once
#include "dml/lm_metric/flow.hpp"
#include "engine/random.hpp"

namespace dml::lm {

/// @see Head
struct HeadOptions {
  std::int64_t dim = 512;     ///< of the embedding
  std::int64_t actions = 64;  ///< of the policy
  double weight_max = 1;      ///< weight of the last action; action a has max (a + 1) / actions
  double flow_sigma = 0.6;    ///< deviation of the latent that is read in training
  bool normalize = true;      ///< embeddings of unit length
  FlowOptions flow{};
};

/// What is random in a step. What is not defined is drawn.
struct Draws {
  Tensor action_p{}, action_n{};  ///< [n] i64
  Tensor noise{};                 ///< [n, dim] uniform in [0, 1), of the pre-processing of the flow
  Tensor z{};                     ///< [n, dim] standard normal, of the reading of the memory
};

/// A policy's choice for every sample.
struct Chosen {
  Var weight;       ///< [n], without gradient
  Var log_prob;     ///< [n] of the action taken
  Var probability;  ///< [n, actions]
};

/// What the head makes of a batch of n samples.
struct HeadOutput {
  Var embedding;  ///< [n, dim] from embedding and context
  Var second;     ///< [n, dim] from embedding and what the memory recalls
  Var nll;        ///< [] of the flow
  Chosen positive, negative;
};

/// Pooled features to embeddings: a bidirectional GRU over the batch in its order gives every
/// sample a context and a policy over pair weights; a conditional flow learns p(context |
/// embedding) and is the memory that retrieval reads (Yan et al., LM-Metric, TechRxiv 2023).
/// Parameters have the names of the published checkpoints below `model.`.
class Head {
 public:
  Head(const Scope& scope, std::int64_t features, const HeadOptions& options);

  /// @param x     [n, features]
  /// @param live  training mode: batch norm of the flow uses and moves statistics, in both passes.
  HeadOutput operator()(const Var& x, const Draws& draws, const Random& random, bool live) const;
  /// What retrieval compares: normalise(e + sigmoid(f^-1(z; e))).
  /// @param z  [n, dim], already scaled
  Var retrieve(const Var& x, const Var& z) const;

  std::int64_t dim() const { return options_.dim; }

 private:
  struct Direction {
    Parameter &input, &hidden, &input_bias, &hidden_bias;
  };
  struct Linear {
    Parameter &weight, &bias;
    Var operator()(const Var& x) const;
  };
  static Direction direction(const Scope& scope, const std::string& ending, std::int64_t width);
  static Linear layer(const Scope& scope, std::int64_t in, std::int64_t out);

  Var states(const Var& x, const Direction& unit, bool reversed) const;
  Chosen choose(const Var& state, const Linear& decision, const Tensor& action,
                const Random& random) const;
  Var unit_length(const Var& x) const;
  Var recall(const Var& e, const Var& z, bool live) const;

  HeadOptions options_;
  std::int64_t features_;
  Direction forwards_, backwards_;
  Linear decision_p_, decision_n_, mapping_;
  ConditionalFlow flow_;
};

}  // namespace dml::lm
