#include "dml/schedules/sequence.hpp"

#include <algorithm>
#include <sstream>

#include "engine/names.hpp"

namespace dml {
namespace {

/// What a schedule may know that is in charge from epoch `from` until `to` (0: to the end).
Schedule::Setup part_of(const Schedule::Setup& whole, std::int64_t from, std::int64_t to) {
  if (to > 0) return {.epochs = to - from};
  Schedule::Setup rest = whole;
  rest.skipped += from;
  return rest;
}

/// A straight line up to the rate over some epochs.
class Rise final : public Schedule {
 public:
  explicit Rise(const WarmUp& options) : options_(options) {}
  double rate(const Moment& moment, double base) const override {
    double passed = static_cast<double>(moment.epoch);
    if (options_.by_step)
      passed += static_cast<double>(moment.step) / static_cast<double>(moment.steps_per_epoch);
    const double share = std::min(1.0, passed / static_cast<double>(options_.epochs));
    return base * (options_.start + (1 - options_.start) * share);
  }

 private:
  WarmUp options_;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!trimmed(part).empty()) parts.push_back(trimmed(part));
  return parts;
}

struct Options {
  std::string parts;
  std::string at;
  static constexpr std::tuple fields{
      field("parts", &Options::parts,
            "the schedules with their options: linear start=0.1 length=5; cosine length=20"),
      field("at", &Options::at, "the epochs at which all but the first take over, with commas"),
  };
};

std::vector<std::int64_t> epochs_in(const std::string& text) {
  std::vector<std::int64_t> epochs;
  for (const std::string& word : split(text, ',')) {
    std::int64_t epoch = 0;
    schema::assign({"at", "integer", "", "", {1, 1e9}, ""}, word, epoch);
    epochs.push_back(epoch);
  }
  return epochs;
}

/// "linear start=0.1 length=5"
std::unique_ptr<Schedule> make_part(const std::string& text, const Schedule::Setup& setup) {
  const std::vector<std::string> words = split(text, ' ');
  Settings settings;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos)
      throw UsageError("parts: '" + words[i] + "' is no option of the form NAME=VALUE");
    settings[words[i].substr(0, equals)] = words[i].substr(equals + 1);
  }
  return Registry<Schedule>::make(words[0], settings, setup);
}

/// The schedule that is a list of others.
class Sequence final : public Schedule {
 public:
  using Options = dml::Options;
  Sequence(const Options& options, const Setup& setup)
      : all_(make(options, setup), epochs_in(options.at)) {}

  double rate(const Moment& moment, double base) const override { return all_.rate(moment, base); }
  std::optional<double> momentum(const Moment& moment) const override {
    return all_.momentum(moment);
  }
  Actions before_epoch(std::int64_t epoch) const override { return all_.before_epoch(epoch); }
  void observe(const Seen& seen) override { all_.observe(seen); }
  std::map<std::string, double> state() const override { return all_.state(); }
  void restore(const std::map<std::string, double>& state) override { all_.restore(state); }

 private:
  static std::vector<std::unique_ptr<Schedule>> make(const Options& options, const Setup& setup) {
    const std::vector<std::int64_t> at = epochs_in(options.at);
    std::vector<std::unique_ptr<Schedule>> parts;
    for (const std::string& text : split(options.parts, ';')) {
      const std::size_t i = parts.size();
      parts.push_back(make_part(text, part_of(setup, i == 0 || i > at.size() ? 0 : at[i - 1],
                                              i < at.size() ? at[i] : 0)));
    }
    return parts;
  }

  SequentialSchedule all_;
};

const Register<Schedule, Sequence> sequence_schedule{{
    .name = "sequence",
    .summary = "several schedules, one after the other",
    .details = "PyTorch's SequentialLR: parts = \"linear start=0.1 length=5; cosine length=20\" "
               "with at = \"5\"; the time of each part begins where it takes over",
    .aliases = {"sequential_lr"},
}};

}  // namespace

SequentialSchedule::SequentialSchedule(std::vector<std::unique_ptr<Schedule>> parts,
                                       std::vector<std::int64_t> at)
    : parts_(std::move(parts)), at_(std::move(at)) {
  if (parts_.size() != at_.size() + 1)
    throw UsageError(std::to_string(parts_.size()) + " parts need " +
                     std::to_string(parts_.empty() ? 0 : parts_.size() - 1) +
                     " epochs in `at`; found " + std::to_string(at_.size()));
  for (std::size_t i = 1; i < at_.size(); ++i)
    if (at_[i] <= at_[i - 1]) throw UsageError("the epochs in `at` must rise");
}

std::size_t SequentialSchedule::active(std::int64_t epoch) const {
  return static_cast<std::size_t>(std::upper_bound(at_.begin(), at_.end(), epoch) - at_.begin());
}

double SequentialSchedule::rate(const Moment& moment, double base) const {
  const std::size_t i = active(moment.epoch);
  return parts_[i]->rate({moment.epoch - begin_of(i), moment.step, moment.steps_per_epoch}, base);
}

std::optional<double> SequentialSchedule::momentum(const Moment& moment) const {
  const std::size_t i = active(moment.epoch);
  return parts_[i]->momentum({moment.epoch - begin_of(i), moment.step, moment.steps_per_epoch});
}

Schedule::Actions SequentialSchedule::before_epoch(std::int64_t epoch) const {
  const std::size_t i = active(epoch);
  return parts_[i]->before_epoch(epoch - begin_of(i));
}

void SequentialSchedule::observe(const Seen& seen) {
  const std::size_t i = active(seen.epoch);
  parts_[i]->observe({seen.epoch - begin_of(i), seen.metric, seen.loss});
}

std::map<std::string, double> SequentialSchedule::state() const {
  std::map<std::string, double> all;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    for (const auto& [name, value] : parts_[i]->state())
      all[std::to_string(i) + "." + name] = value;
  return all;
}

void SequentialSchedule::restore(const std::map<std::string, double>& state) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const std::string prefix = std::to_string(i) + ".";
    std::map<std::string, double> own;
    for (const auto& [name, value] : state)
      if (name.rfind(prefix, 0) == 0) own[name.substr(prefix.size())] = value;
    parts_[i]->restore(own);
  }
}

std::unique_ptr<Schedule> make_schedule(const std::string& name, const Settings& settings,
                                        const Schedule::Setup& setup, const WarmUp& warm_up) {
  if (warm_up.epochs < 1) return Registry<Schedule>::make(name, settings, setup);
  std::vector<std::unique_ptr<Schedule>> parts;
  parts.push_back(std::make_unique<Rise>(warm_up));
  parts.push_back(Registry<Schedule>::make(name, settings, part_of(setup, warm_up.epochs, 0)));
  return std::make_unique<SequentialSchedule>(std::move(parts), std::vector{warm_up.epochs});
}

}  // namespace dml
