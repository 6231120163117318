#pragma once
#include "dml/loss.hpp"

namespace dml {

/// A linear layer from embedding to class logits that belongs to a loss. Its parameters are
/// `classifier.weight` [classes, dim] and `classifier.bias` [classes] in the scope of the loss; in
/// checkpoints of nets that carry one it is the net's own classifier (Net::classifier_name).
class Classifier {
 public:
  /// @param rate  learning rate of both parameters, times the net's.
  explicit Classifier(const Loss::Setup& setup, double rate = 1);

  /// [n, classes] of the batch: from the neck where the head has one, else from the embedding.
  /// @throws ShapeError when the labels are of another number of classes.
  Var operator()(const Loss::Batch& batch) const;

 private:
  std::int64_t classes_;
  Parameter& weight_;
  Parameter& bias_;
};

}  // namespace dml
