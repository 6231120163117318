#pragma once
#include <memory>
#include <string>

#include "nets/head.hpp"
#include "nets/net.hpp"
#include "ops/cast.hpp"

namespace dml {

/// A net with its head: images to features and embedding. The classifier, where there is one,
/// belongs to the loss.
class Model {
 public:
  Model(std::unique_ptr<Net> net, const HeadOptions& head, const Scope& scope)
      : net_(std::move(net)), head_(head, scope, net_->width()) {}
  /// The net of that name with its options, and a head, all in one scope.
  static Model make(const std::string& net, const Settings& settings, const HeadOptions& head,
                    const Scope& scope) {
    return {Registry<Net>::make(net, settings, {scope}), head, scope};
  }

  /// images [n, h, w, 3], preprocessed as net().preprocessing() says.
  Outputs operator()(const Var& images) {
    return head_(cast((*net_)(entering(images)), images.dtype()));
  }
  /// The pooled map of an inner stage.   -> [n, net().width(stage)]
  Var stage_features(const Var& images, const std::string& stage) {
    return head_.pool(cast(net_->stage(entering(images), stage), images.dtype()));
  }

  /// From now on training passes compute the net, its maps and their gradients, in this type (f32
  /// or bf16). Parameters and their gradients, statistics of batch norm, pooled features and all
  /// behind them stay in f32, and so does inference.
  void train_in(DType type) { training_type_ = type; }
  DType training_type() const { return training_type_; }

  Net& net() { return *net_; }
  const Net& net() const { return *net_; }
  const Head& head() const { return head_; }
  /// Size of the pooled features, and of the embedding.
  std::int64_t width() const { return net_->width(); }
  std::int64_t dim() const { return head_.dim(); }

 private:
  Var entering(const Var& images) const {
    const bool narrow = images.training() && images.dtype() == DType::f32;
    return narrow ? cast(images, training_type_) : images;
  }

  std::unique_ptr<Net> net_;
  Head head_;
  DType training_type_ = DType::f32;
};

}  // namespace dml
