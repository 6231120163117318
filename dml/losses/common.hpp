#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dml/distance.hpp"
#include "dml/loss.hpp"
#include "dml/miner.hpp"
#include "dml/reducer.hpp"
#include "dml/regularizer.hpp"

namespace dml {

/// What all losses of one batch have in common: how items become one number, and a penalty on the
/// embeddings. A loss derives its Options from it and lists its own fields with with().
struct CommonOptions {
  explicit CommonOptions(std::string default_reducer) : reducer{std::move(default_reducer)} {}

  Nested reducer;
  Nested embedding_regularizer{};
  Nested miner{};
  double embedding_reg_weight = 1;
  static constexpr std::tuple fields{
      nested<Reducer>("reducer", &CommonOptions::reducer,
                      "how the values of pairs, triplets or samples become one number"),
      nested<Regularizer>("embedding_regularizer", &CommonOptions::embedding_regularizer,
                          "penalty on the embeddings that is added"),
      field("embedding_reg_weight", &CommonOptions::embedding_reg_weight, "weight of that penalty",
            {0, 1e6}),
      nested<Miner>("miner", &CommonOptions::miner,
                    "chooses pairs or triplets, where none are given"),
  };
  /// The fields of a loss: these and its own.
  template <class... Fields> static constexpr auto with(const Fields&... own) {
    return std::tuple_cat(fields, std::tuple{own...});
  }
};

/// CommonOptions with a distance.
struct TupleOptions : CommonOptions {
  TupleOptions(Nested default_distance, std::string default_reducer)
      : CommonOptions(std::move(default_reducer)), distance(std::move(default_distance)) {}

  Nested distance;
  static constexpr auto fields = CommonOptions::with(nested<Distance>(
      "distance", &TupleOptions::distance, "how far two embeddings are apart, or how similar"));
  /// The fields of a loss: these and its own.
  template <class... Fields> static constexpr auto with(const Fields&... own) {
    return std::tuple_cat(fields, std::tuple{own...});
  }
};

/// A loss whose value is a sum of reduced sub-losses and of a penalty on the embeddings.
class CommonLoss : public Loss {
 public:
  /// The miner, compute() and the penalty, in this order.
  Var operator()(const Batch& batch) final;

 protected:
  explicit CommonLoss(const CommonOptions& options);

  /// The loss without the penalty, shape [].
  virtual Var compute(const Batch& batch) = 0;

  const Reducer& reducer() const { return *reducer_; }
  /// Reduces a sub-loss of anchors and notes it for diagnostics() and items().
  Var reduced(const std::string& name, Items items, const Batch& batch);
  /// The same for a list of values.
  Var reduced(const std::string& name, ItemList list, const Batch& batch);

 private:
  std::unique_ptr<Reducer> reducer_;
  std::unique_ptr<Regularizer> regularizer_;
  std::unique_ptr<Miner> miner_;
  double regularizer_weight_;
};

/// A CommonLoss on the matrix of distances.
class TupleLoss : public CommonLoss {
 public:
  Requirements requirements() const override { return {.pairs = true}; }

 protected:
  explicit TupleLoss(const TupleOptions& options);
  /// For losses that are defined for one distance alone.
  /// @throws UsageError when another one was chosen.
  TupleLoss(const TupleOptions& options, const std::string& only_distance);

  const Distance& distance() const { return *distance_; }
  /// The distances of the batch to itself or to its reference set.   [n, q]
  Var matrix(const Batch& batch) const;
  /// The relation of the chosen tuples, or of all pairs.   [n, q] f32
  static Tensor relation(const Batch& batch);
  /// The labels of the reference set: those of the batch without one.
  static const Labels& reference_labels(const Batch& batch) {
    return batch.reference.defined() ? *batch.reference_labels : batch.labels;
  }
  /// @throws UsageError for losses that take no tuples, no reference set.
  static void refuse_tuples(const Batch& batch, const std::string& loss);
  static void refuse_reference(const Batch& batch, const std::string& loss);

 private:
  std::unique_ptr<Distance> distance_;
};

/// A sum of terms of shape [].
Var total_of(const std::vector<Var>& terms);

}  // namespace dml
