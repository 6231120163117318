#pragma once
#include <memory>
#include <string>

#include "dml/losses/common.hpp"

namespace dml {

/// A degree in radians.
inline constexpr double degree = 3.14159265358979323846 / 180;

/// What losses with a learnt vector for every class have in common: a distance, a penalty on the
/// vectors, and the rate at which they learn. A loss derives its Options from it and lists its own
/// fields with with().
struct ClassOptions : TupleOptions {
  explicit ClassOptions(Nested default_distance, std::string default_reducer = "mean",
                        double default_lr_scale = 1)
      : TupleOptions(std::move(default_distance), std::move(default_reducer)),
        lr_scale(default_lr_scale) {}

  Nested weight_regularizer{};
  double weight_reg_weight = 1;
  double lr_scale;
  double decay_scale = 1;
  static constexpr auto fields = TupleOptions::with(
      nested<Regularizer>("weight_regularizer", &ClassOptions::weight_regularizer,
                          "penalty on the learnt class vectors that is added"),
      field("weight_reg_weight", &ClassOptions::weight_reg_weight, "weight of that penalty",
            {0, 1e6}),
      field("lr_scale", &ClassOptions::lr_scale,
            "the class vectors learn at this multiple of the net's rate", {0, 1e9}),
      field("decay_scale", &ClassOptions::decay_scale,
            "the class vectors decay at this multiple of the weight decay", {0, 1e6}));
  /// The fields of a loss: these and its own.
  template <class... Fields> static constexpr auto with(const Fields&... own) {
    return std::tuple_cat(fields, std::tuple{own...});
  }
};

/// The class vectors that a loss wants.
struct ClassVectors {
  std::string parameter;        ///< its name in the loss's scope
  Init init;                    ///< how it begins
  std::int64_t per_class = 1;   ///< vectors of every class
  std::string only_distance{};  ///< the one distance that the loss is defined for; empty: any
};

/// A loss with one or more learnt vectors for every class. They are one row each of a parameter in
/// the loss's scope, [classes * per class, dim]; row c * per class + k is vector k of class c.
class ClassLoss : public TupleLoss {
 public:
  Requirements requirements() const override { return {}; }

 protected:
  /// @throws UsageError when a distance was chosen that the loss is not defined for.
  ClassLoss(const ClassOptions& options, const Setup& setup, const ClassVectors& wanted);

  /// The loss without penalties, shape [].
  virtual Var classify(const Batch& batch) = 0;
  /// classify() and the penalty on the vectors.
  /// @throws ShapeError for a label outside [0, classes).
  Var compute(const Batch& batch) final;

  /// The learnt vectors on the tape of x.   [classes * per class, dim]
  Var vectors(const Var& x) const { return x.leaf(vectors_); }
  Parameter& vectors() const { return vectors_; }
  std::int64_t classes() const { return classes_; }
  std::int64_t per_class() const { return per_class_; }

  /// The mean (or what the reducer makes) over the batch of one value per sample, each times the
  /// weight that the tuples give the sample.   [n] -> []
  /// @param anchors_only  the weights count how often a sample is an anchor
  Var reduced_samples(const Var& values, const Batch& batch, bool anchors_only = false);
  /// Cross-entropy of logits [n, classes], weighted and reduced.
  Var reduced_cross_entropy(const Var& logits, const Batch& batch, bool anchors_only = false);
  /// One value per class, reduced.   [classes] -> []
  /// @param divisor  f64, its sum is what the reducer `divisor` divides by.
  Var reduced_classes(const std::string& name, const Var& values, const Tensor& divisor);

 private:
  std::unique_ptr<Regularizer> regularizer_;
  double regularizer_weight_;
  std::int64_t classes_, per_class_;
  Labels each_class_;
  Parameter& vectors_;
};

}  // namespace dml
