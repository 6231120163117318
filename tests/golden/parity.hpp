#pragma once
#include "tests/golden/golden.hpp"

namespace dml::golden {

/// How far an f32 run may be from the f64 steps of the reference after all rounds.
struct ParityTolerance {
  double losses;              ///< relative to the largest loss
  double weights;             ///< of the L2 norm of each weight
  const char* losses_reason;  ///< why rounding reaches that far
  const char* weights_reason;
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
