#pragma once
#include <cstdint>
#include <map>
#include <optional>
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

  /// What a schedule may depend on: how long it is in charge.
  struct Setup {
    std::int64_t epochs = 0;   ///< of the run; 0 when it ends otherwise
    std::int64_t steps = 0;    ///< of the run, where that says its end; 0: epochs do
    std::int64_t skipped = 0;  ///< epochs that pass before the schedule's time begins
  };

  /// What the trainer does before an epoch.
  struct Actions {
    bool reload_best = false;  ///< load the weights (running statistics included) of the best
                               ///< evaluation so far; the optimizer keeps its state
  };

  /// What an epoch came to.
  struct Seen {
    std::int64_t epoch = 0;          ///< which one, from 0
    std::optional<double> metric{};  ///< by which epochs are compared (larger is better); none
                                     ///< where the epoch was not evaluated
    double loss = 0;                 ///< mean over its steps
  };

  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// The learning rate in this step of a parameter whose own rate is `base`.
  virtual double rate(const Moment& moment, double base) const = 0;
  /// The momentum (Adam's beta1) in this step; none: the optimizer's own.
  virtual std::optional<double> momentum(const Moment& /*moment*/) const { return std::nullopt; }
  /// What is to be done before this epoch begins (from 0).
  virtual Actions before_epoch(std::int64_t /*epoch*/) const { return {}; }
  /// Learns how an epoch went, after its evaluation if it has one.
  virtual void observe(const Seen& /*seen*/) {}

  /// What must be in a checkpoint beside (epoch, step) to go on; empty for pure functions of time.
  virtual std::map<std::string, double> state() const { return {}; }
  /// Takes back what state() gave. @throws FormatError when something is missing.
  virtual void restore(const std::map<std::string, double>& /*state*/) {}

 protected:
  Schedule() = default;
};

}  // namespace dml
