#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace dml {

/// A figure by name, in the order in which it shall be shown ("recall@1", 0.661).
using Figures = std::vector<std::pair<std::string, double>>;

/// The figure of that name, or fallback.
double figure(const Figures& figures, const std::string& name, double fallback);

/// How many of some numbers lie in each of some intervals.
struct Histogram {
  std::string name;            ///< "distance_positive"
  std::vector<double> limits;  ///< [n] ascending, the upper end of every interval
  std::vector<double> counts;  ///< [n]
  std::int64_t count = 0;
  double min = 0, max = 0, sum = 0, sum_squares = 0;

  /// Counts a number that is not above the last limit.
  void add(double value);
};

/// Training begins, or goes on after `step` steps.
struct RunStarted {
  std::vector<std::string> lines;  ///< what runs, in words
  std::int64_t epochs = 0;
  std::int64_t steps = 0;  ///< of the whole run
  std::int64_t epoch = 0;  ///< epochs that are done already
  std::int64_t step = 0;   ///< steps that are done already
};

/// One step of the optimizer. Steps and epochs count from 1.
struct StepDone {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::int64_t step_in_epoch = 0;
  std::int64_t steps_in_epoch = 0;
  double loss = 0;
  double grad_norm = 0;
  double learning_rate = 0;  ///< of the default group
  std::int64_t images = 0;   ///< in the batch
  Figures parts;             ///< what the loss says of itself
};

/// The end of an epoch, after its evaluation if it had one.
struct EpochDone {
  std::int64_t epoch = 0;
  std::int64_t epochs = 0;
  std::int64_t step = 0;
  double loss = 0;  ///< mean over the steps of the epoch
  double learning_rate = 0;
  std::int64_t images = 0;
  Figures metrics;              ///< empty where the epoch was not evaluated
  std::string split;            ///< what was evaluated: "test" or "validation"
  double best = 0;              ///< the best value so far of the metric that selects
  std::int64_t best_epoch = 0;  ///< 0: none yet
  std::string best_metric;
  std::vector<Histogram> histograms;  ///< of what was evaluated
};

/// Images were embedded and measured.
struct EvalDone {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  std::string split;
  std::int64_t images = 0;
  Figures metrics;
  std::vector<Histogram> histograms;
};

/// A checkpoint is safely on the disk.
struct CheckpointWritten {
  std::filesystem::path file;
  std::int64_t epoch = 0;
  std::int64_t step = 0;
};

/// Something that the user should know, in words.
struct Warning {
  std::string text;
};

/// A step of the program that takes long, in words ("rendering 1,440 images").
struct Notice {
  std::string text;
};

/// Training ended.
struct RunEnded {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  bool interrupted = false;
};

using Event = std::variant<RunStarted, StepDone, EpochDone, EvalDone, CheckpointWritten, Warning,
                           Notice, RunEnded>;

/// Turns events into something for people or programs. Nothing else in the engine prints.
class Sink {
 public:
  virtual ~Sink() = default;
  /// @param seconds  since the run of this process began.
  virtual void on(const Event& event, double seconds) = 0;
};

/// The sinks of a run.
class Events {
 public:
  Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  void add(std::unique_ptr<Sink> sink) { sinks_.push_back(std::move(sink)); }
  /// Hands the event to every sink, in the order in which they were added.
  void emit(const Event& event);

 private:
  std::vector<std::unique_ptr<Sink>> sinks_;
  double start_ = 0;
};

/// Calls the one of several functions that takes what the event is.
template <class... Fns> struct Match : Fns... { using Fns::operator()...; };
template <class... Fns> Match(Fns...) -> Match<Fns...>;

}  // namespace dml
