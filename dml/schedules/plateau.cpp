#include <algorithm>
#include <cmath>
#include <limits>

#include "dml/schedule.hpp"

namespace dml {
namespace {

/// Lowers the rate when a figure has stopped to improve.
class Plateau final : public Schedule {
 public:
  struct Options {
    std::string watch = "metric";
    std::string mode = "max";
    double factor = 0.1;
    std::int64_t patience = 10;
    double threshold = 1e-4;
    std::string threshold_mode = "relative";
    std::int64_t cooldown = 0;
    double minimum = 0;
    double eps = 1e-8;
    static constexpr std::tuple fields{
        field("watch", &Options::watch, "the metric that selects epochs, or the training loss",
              "metric|loss"),
        field("mode", &Options::mode, "whether larger or smaller is better", "max|min"),
        field("factor", &Options::factor, "what the rate is multiplied with", {0, 1}),
        field("patience", &Options::patience, "epochs without improvement that are borne",
              {0, 1e9}),
        field("threshold", &Options::threshold, "what counts as an improvement", {0, 1e9}),
        field("threshold_mode", &Options::threshold_mode,
              "relative: share of the best value; absolute: distance to it", "relative|absolute"),
        field("cooldown", &Options::cooldown, "epochs after a change that are not judged",
              {0, 1e9}),
        field("minimum", &Options::minimum, "no rate falls below it", {0, 1e6}),
        field("eps", &Options::eps, "smaller changes of a rate are left out", {0, 1}),
    };
  };
  Plateau(Options options, const Setup&)
      : options_(options), best_(larger() ? -infinity : infinity) {}

  double rate(const Moment&, double base) const override {
    for (std::int64_t i = 0; i < reductions_; ++i) {
      const double next = std::max(base * options_.factor, options_.minimum);
      if (!(base - next > options_.eps)) break;  // nor would it change later
      base = next;
    }
    return base;
  }

  void observe(const Seen& seen) override {
    if (options_.watch == "metric" && !seen.metric) return;
    const double value = options_.watch == "metric" ? *seen.metric : seen.loss;
    if (better(value)) {
      best_ = value;
      bad_ = 0;
    } else {
      ++bad_;
    }
    if (cooldown_ > 0) {
      --cooldown_;
      bad_ = 0;
    }
    if (bad_ <= options_.patience) return;
    ++reductions_;
    cooldown_ = options_.cooldown;
    bad_ = 0;
  }

  std::map<std::string, double> state() const override {
    return {{"best", best_},
            {"bad", static_cast<double>(bad_)},
            {"cooldown", static_cast<double>(cooldown_)},
            {"reductions", static_cast<double>(reductions_)}};
  }
  void restore(const std::map<std::string, double>& state) override {
    const auto at = [&](const char* name) {
      const auto found = state.find(name);
      if (found == state.end())
        throw FormatError(std::string("schedule 'plateau': its state lacks '") + name + "'");
      return found->second;
    };
    best_ = at("best");
    bad_ = std::llround(at("bad"));
    cooldown_ = std::llround(at("cooldown"));
    reductions_ = std::llround(at("reductions"));
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  bool larger() const { return options_.mode == "max"; }
  bool better(double value) const {
    const bool relative = options_.threshold_mode == "relative";
    if (larger())
      return value > (relative ? best_ * (1 + options_.threshold) : best_ + options_.threshold);
    return value < (relative ? best_ * (1 - options_.threshold) : best_ - options_.threshold);
  }

  Options options_;
  double best_;
  std::int64_t bad_ = 0, cooldown_ = 0, reductions_ = 0;
};

const Register<Schedule, Plateau> plateau_schedule{{
    .name = "plateau",
    .summary = "the learning rate falls when a figure has stopped to improve",
    .details = "PyTorch's ReduceLROnPlateau; epochs without an evaluation are not judged",
    .aliases = {"reduce_lr_on_plateau"},
}};

}  // namespace
}  // namespace dml
