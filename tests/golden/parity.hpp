#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dml/labels.hpp"
#include "dml/optimizer.hpp"
#include "nets/layers.hpp"
#include "tests/fill.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {

/// How far an f32 run may be from the f64 steps of the reference after all rounds.
struct ParityTolerance {
  double losses;   ///< relative to the largest loss
  double weights;  ///< of the L2 norm of each weight
  /// Why rounding reaches that far.
  const char* losses_reason = "roundings of twenty f32 steps";
  const char* weights_reason =
      "an adaptive rule turns the rounding of a gradient near 0 into a step";
};

/// What the trainings of the scripts share: sizes from the file, parameters, pictures and labels
/// that are functions of names and step numbers.
class SmallTraining {
 public:
  const ParameterStore& store() const { return store_; }

 protected:
  explicit SmallTraining(Run& run)
      : given_(run.given()),
        device_(run.device()),
        type_(run.type()),
        store_(run.device(), run.type()) {}

  std::int64_t size(const std::string& name) const { return given_.integer(name); }
  /// Settings of these names, as the file has them.
  Settings settings(const std::vector<std::string>& names) const {
    Settings all;
    for (const std::string& name : names) all[name] = given_.text(name);
    return all;
  }
  std::unique_ptr<Optimizer> optimizer(const std::string& name, Settings all) {
    return Registry<Optimizer>::make(name, all, {store_});
  }
  /// The n pictures of a step, [n, side, side, 3].
  Tensor images(std::int64_t number, std::int64_t n) const {
    const Shape shape{n, 3, size("image"), size("image")};
    const std::string name = "images." + std::to_string(number);
    return to_channels_last(testing::fill_stream(name, shape, 2).to(type_));
  }
  /// Chunks of one class each, the first of which moves on with every step.
  Labels labels(std::int64_t number, std::int64_t n, std::int64_t chunk,
                std::int64_t different) const {
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < n; ++i)
      of.push_back((number + i / chunk % different) % size("classes"));
    return {of, size("classes")};
  }

  const Case& given_;
  Device& device_;
  DType type_;
  ParameterStore store_;
  std::shared_ptr<NormState> norms_ = std::make_shared<NormState>();
};

/// Runs `rounds` training steps and gives the losses and all weights that the file has. Training is
/// made from a Run, has step(number) -> loss and store().
template <class Training> void give_training(Run& run, const ParityTolerance& tolerance) {
  Training training(run);
  std::vector<double> losses;
  for (std::int64_t number = 0; number < run.given().integer("rounds"); ++number)
    losses.push_back(training.step(number));
  run.give("out.losses", losses);
  run.loosen("out.losses", {.relative = tolerance.losses, .reason = tolerance.losses_reason});
  for (const Parameter& one : training.store().all()) {
    const std::string name = "out.weights." + one.name;
    if (!run.given().has(name)) continue;
    run.give(name, one.to_file());
    run.loosen(name,
               {.relative = tolerance.weights, .l2 = true, .reason = tolerance.weights_reason});
  }
}

}  // namespace dml::golden
