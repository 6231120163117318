#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engine/registry.hpp"

namespace dml {

/// A point in a run.
struct Moment {
  std::int64_t epoch = 0;            ///< from 0
  std::int64_t step = 0;             ///< within the epoch, from 0
  std::int64_t steps_per_epoch = 1;  ///< of this run
};

/// How the learning rate moves over a run, and what else happens at its turns.
class Schedule {
 public:
  static constexpr const char* kind = "schedule";

  /// What a schedule may depend on.
  struct Setup {
    std::int64_t epochs = 0;  ///< of the run; 0 when it ends otherwise
  };

  /// What the trainer does before an epoch.
  struct Actions {
    bool reload_best = false;  ///< load the weights (running statistics included) of the best
                               ///< evaluation so far; the optimizer keeps its state
  };

  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// What every learning rate is multiplied with in this step (1 at the optimizer's own rate).
  virtual double factor(const Moment& moment) const = 0;
  /// What is to be done before this epoch begins (from 0).
  virtual Actions before_epoch(std::int64_t /*epoch*/) const { return {}; }
  /// Learns the number by which epochs are compared (larger is better), after an evaluation.
  virtual void observe(double /*metric*/) {}

  /// What must be in a checkpoint beside (epoch, step) to go on; empty for pure functions of time.
  virtual std::map<std::string, double> state() const { return {}; }
  /// Takes back what state() gave. @throws FormatError when something is missing.
  virtual void restore(const std::map<std::string, double>& /*state*/) {}

 protected:
  Schedule() = default;
};

}  // namespace dml
