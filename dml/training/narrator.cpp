#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dml/training/sinks.hpp"

namespace dml {
namespace {

/// "recall@1" is written "R@1"; other names stay.
std::string short_name(const std::string& metric) {
  return metric.rfind("recall@", 0) == 0 ? "R@" + metric.substr(7) : metric;
}

std::string with_commas(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string throughput(double images_per_second) {
  if (images_per_second <= 0) return "";
  if (images_per_second < 10) return fmt::format("  {:.1f} img/s", images_per_second);
  return "  " + with_commas(images_per_second) + " img/s";
}

std::string duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string figures_text(const Figures& figures) {
  std::string text;
  for (const auto& [name, value] : figures)
    text += fmt::format("  {} {:.4g}", short_name(name), value);
  return text;
}

}  // namespace

std::string Narrator::operator()(const Event& event, double seconds) {
  return std::visit(Match{[&](const RunStarted& run) {
                            total_steps_ = run.steps;
                            first_step_ = step_ = run.step;
                            epochs_ = run.epochs;
                            begun_ = last_step_at_ = seconds;
                            std::string text;
                            for (const std::string& line : run.lines)
                              text += (text.empty() ? "" : "\n") + line;
                            return text;
                          },
                          [&](const StepDone& step) {
                            count(step, seconds);
                            return std::string();
                          },
                          [&](const EpochDone& epoch) {
                            last_step_at_ = seconds;
                            return epoch_line(epoch, seconds);
                          },
                          [&](const EvalDone& eval) {
                            last_step_at_ = seconds;
                            const char* when = eval.step == 0 ? "before training, " : "";
                            return when + eval.split + ":" + figures_text(eval.metrics);
                          },
                          [&](const CheckpointWritten&) {
                            last_step_at_ = seconds;
                            return std::string();
                          },
                          [](const Warning& warning) { return "warning: " + warning.text; },
                          [](const Notice& notice) { return notice.text; },
                          [](const RunEnded& end) {
                            return end.interrupted
                                       ? fmt::format("interrupted after step {}", end.step)
                                       : std::string();
                          }},
                    event);
}

void Narrator::count(const StepDone& step, double seconds) {
  const double took = std::max(1e-9, seconds - last_step_at_);
  const double rate = static_cast<double>(step.images) / took;
  images_per_second_ = images_per_second_ == 0 ? rate : 0.9 * images_per_second_ + 0.1 * rate;
  epoch_seconds_ += took;
  epoch_images_ += step.images;
  last_step_at_ = seconds;
  step_ = step.step;
}

double Narrator::share() const {
  return total_steps_ == 0 ? 0 : static_cast<double>(step_) / static_cast<double>(total_steps_);
}

std::string Narrator::time_left(double seconds) const {
  const std::int64_t done = step_ - first_step_;
  if (done <= 0 || step_ >= total_steps_) return "";
  const double per_step = (seconds - begun_) / static_cast<double>(done);
  return "  eta " + duration(per_step * static_cast<double>(total_steps_ - step_));
}

std::string Narrator::step_line(const StepDone& step, double seconds) {
  std::string text = fmt::format("epoch {}/{}  {}/{}  loss {:.4g}", step.epoch, epochs_,
                                 step.step_in_epoch, step.steps_in_epoch, step.loss);
  text += figures_text(step.parts);
  return text + throughput(images_per_second_) + time_left(seconds);
}

std::string Narrator::epoch_line(const EpochDone& epoch, double seconds) {
  std::string text = fmt::format("epoch {}/{}  loss {:.4g}", epoch.epoch, epoch.epochs, epoch.loss);
  text += figures_text(epoch.metrics);
  if (epoch.best_epoch > 0 && !epoch.metrics.empty())
    text += fmt::format("  (best {} {:.4g} @ {})", short_name(epoch.best_metric), epoch.best,
                        epoch.best_epoch);
  if (epoch_seconds_ > 0) text += throughput(static_cast<double>(epoch_images_) / epoch_seconds_);
  epoch_seconds_ = 0;
  epoch_images_ = 0;
  return text + time_left(seconds);
}

}  // namespace dml
