#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/event.hpp"

namespace dml {

/// How progress is shown on standard error.
enum class Progress : std::uint8_t { bar, lines, json, none };

/// "auto" is a bar on a terminal and lines elsewhere. @throws UsageError for other words.
Progress progress_of(const std::string& name, bool terminal);

/// One line that is drawn again and again: epoch, share done, loss, throughput, time left; a line
/// stays for each epoch. Only for terminals: it writes control characters.
std::unique_ptr<Sink> progress_bar(std::FILE* out, int columns);

/// Plain lines: one for each epoch, and one for every `every` steps; no control characters.
std::unique_ptr<Sink> progress_lines(std::FILE* out, std::int64_t every);

/// Every event as one JSON object on a line.
std::unique_ptr<Sink> json_lines(std::FILE* out, std::int64_t every);

/// Only warnings.
std::unique_ptr<Sink> warnings_only(std::FILE* out);

/// metrics.jsonl: one object for each event, steps every `every`. When the file is there, it is
/// continued: a torn last line is taken off, and what it already tells is not told again.
std::unique_ptr<Sink> metrics_file(const std::filesystem::path& file, std::int64_t every);

/// epochs.csv: a row for each epoch under a header line; rows that are there are kept.
/// @param metrics  names of the columns for figures.
std::unique_ptr<Sink> epochs_file(const std::filesystem::path& file,
                                  const std::vector<std::string>& metrics);

/// log.txt: what a person without a terminal would have seen, with the time of day.
std::unique_ptr<Sink> log_file(const std::filesystem::path& file, std::int64_t every);

/// events.out.tfevents.*: scalars of steps (every `every`) and epochs, histograms of
/// evaluations for TensorBoard, a new file
/// for each process. A run that goes on has TensorBoard forget the steps that it repeats.
std::unique_ptr<Sink> tensorboard_file(const std::filesystem::path& folder, std::int64_t every);

/// An event as one JSON object without line breaks: {"event":"step","step":12,"t":3.21,...}.
std::string json_of(const Event& event, double seconds);

/// An event as a line for people ("epoch 12/60  loss 4.182 ..."), or "" when it says nothing.
/// Stateful: knows the throughput and the time that is left.
class Narrator {
 public:
  std::string operator()(const Event& event, double seconds);
  /// "epoch 3/20  17/40  loss 1.234  120 img/s  eta 3 min" for a step.
  std::string step_line(const StepDone& step, double seconds);
  /// Share of the run that is done, 0..1.
  double share() const;

 private:
  void count(const StepDone& step, double seconds);
  std::string epoch_line(const EpochDone& epoch, double seconds);
  std::string time_left(double seconds) const;

  std::int64_t total_steps_ = 0, first_step_ = 0, step_ = 0, epochs_ = 0;
  double begun_ = 0;
  double last_step_at_ = 0;
  double images_per_second_ = 0;  // smoothed, evaluations left out
  std::int64_t epoch_images_ = 0;
  double epoch_seconds_ = 0;
};

}  // namespace dml
