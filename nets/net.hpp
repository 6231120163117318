#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/preprocessing.hpp"
#include "engine/registry.hpp"
#include "engine/tape.hpp"
#include "nets/norm_state.hpp"

namespace dml {

/// An inner place of a net whose map can be had: its name and how many channels it has.
struct Stage {
  std::string name;
  std::int64_t width;
};

/// What a forward pass is asked for beside the last map.
class StageMaps {
 public:
  /// Nothing but the last map.
  StageMaps() = default;
  /// The maps of these stages; the pass may end when it has them all.
  explicit StageMaps(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}

  /// Whether the map of this stage is asked for.
  bool wants(const std::string& stage) const;
  /// Notes the map of a stage, if it is asked for. True when the pass need not go on.
  bool note(const std::string& stage, const Var& map);
  /// What was noted so far.
  const std::map<std::string, Var>& found() const { return found_; }

 private:
  std::vector<std::string> wanted_;
  std::map<std::string, Var> found_;
};

/// How the weights of a linear layer begin.
struct LinearInit {
  Init weight, bias;
};

/// A convolutional net without head: images to a feature map. Parameter names and their order are
/// those of the state dicts of torchvision and of the published checkpoints.
class Net {
 public:
  static constexpr const char* kind = "net";
  struct Setup {
    Scope scope;  ///< where the parameters go; the root for checkpoint names without prefix
  };

  virtual ~Net() = default;
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  /// The last feature map, after the final ReLU.   [n, h, w, 3] -> [n, h', w', width()]
  /// @throws ShapeError unless images are three-channelled and of a size that the net takes.
  Var operator()(const Var& images);
  /// The map of an inner stage; later layers do not run.
  /// @throws UsageError with the nearest stage for an unknown name.
  Var stage(const Var& images, const std::string& name);
  /// The maps of several stages from one pass.
  std::map<std::string, Var> maps(const Var& images, const std::vector<std::string>& names);

  /// All stages that can be asked for, in order of computation. The last is "features_map".
  const std::vector<Stage>& stages() const { return stages_; }
  /// Channels of the last map.
  std::int64_t width() const { return stages_.back().width; }
  /// Channels of a stage. @throws UsageError with the nearest stage for an unknown name.
  std::int64_t width(const std::string& stage) const;

  /// The input that the published weights of this net want.
  virtual Preprocessing preprocessing() const;
  /// @throws ShapeError when an image of h rows and w columns cannot pass through.
  virtual void check_input(std::int64_t h, std::int64_t w) const;
  /// The name of the classifier in checkpoints: "fc", "last_linear" or "classifier".
  virtual std::string classifier_name() const = 0;
  /// How a classifier on this net begins: uniform in +-1/sqrt(in), unless the net says otherwise.
  virtual LinearInit classifier_init(std::int64_t in) const;

  /// How batch norm behaves on training tapes from now on; also sets whether its weights and
  /// biases are trainable (not in `frozen`).
  void set_batch_norm(BatchNormMode mode) { norms_->set(mode); }
  BatchNormMode batch_norm() const { return norms_->mode(); }

  /// Promises that no weight changes while the returned object lives: folded weights are then
  /// computed once instead of in every pass. A training pass with live batch norm throws meanwhile.
  [[nodiscard]] WeightHold hold_weights() const { return WeightHold(norms_); }

 protected:
  Net() = default;

  /// The pass itself: notes every stage, and returns the last map (or, when `maps` says that the
  /// pass need not go on, whatever it has).
  virtual Var forward(const Var& images, StageMaps& maps) = 0;

  std::vector<Stage> stages_;
  std::shared_ptr<NormState> norms_ = std::make_shared<NormState>();
};

}  // namespace dml
