#include <cmath>
#include <numbers>
#include <vector>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// Up to a maximum and down to nearly nothing, while the momentum goes the other way.
class OneCycle final : public Schedule {
 public:
  struct Options {
    double maximum = 0;
    std::int64_t length = 0;
    std::string unit = "step";
    double rise = 0.3;
    std::string anneal = "cosine";
    bool cycle_momentum = true;
    double base_momentum = 0.85;
    double max_momentum = 0.95;
    double div_factor = 25;
    double final_div_factor = 1e4;
    bool three_phase = false;
    static constexpr std::tuple fields{
        field("maximum", &Options::maximum, "the highest rate of all groups; 0: each its own rate",
              {0, 1e6}),
        field("length", &Options::length, "time of the cycle; 0: the whole run", {0, 1e12}),
        field("unit", &Options::unit, "what length counts", clock_units),
        field("rise", &Options::rise, "share of the time in which the rate rises", {0, 1}),
        field("anneal", &Options::anneal, "shape of rise and fall", "cosine|linear"),
        field("cycle_momentum", &Options::cycle_momentum,
              "momentum (beta1) falls while the rate rises, and the other way round"),
        field("base_momentum", &Options::base_momentum, "the lowest momentum", {0, 1}),
        field("max_momentum", &Options::max_momentum, "the highest momentum", {0, 1}),
        field("div_factor", &Options::div_factor, "the highest rate over the first one", {1, 1e12}),
        field("final_div_factor", &Options::final_div_factor, "the first rate over the last one",
              {1, 1e15}),
        field("three_phase", &Options::three_phase,
              "first down to the first rate, as slowly as up, and then to the last one"),
    };
  };
  OneCycle(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, options.length, setup) {}

  double rate(const Moment& moment, double base) const override {
    const double top = options_.maximum > 0 ? options_.maximum : base;
    const double first = top / options_.div_factor;
    const double last = first / options_.final_div_factor;
    if (options_.three_phase) return along(moment, {first, top, first, last});
    return along(moment, {first, top, last});
  }

  std::optional<double> momentum(const Moment& moment) const override {
    if (!options_.cycle_momentum) return std::nullopt;
    const double high = options_.max_momentum, low = options_.base_momentum;
    if (options_.three_phase) return along(moment, {high, low, high, high});
    return along(moment, {high, low, high});
  }

 private:
  /// The value at a moment of a line through these corners.
  double along(const Moment& moment, const std::vector<double>& corners) const {
    const auto length = static_cast<double>(clock_.length(moment));
    const double now = std::min(static_cast<double>(clock_.now(moment)), length - 1);
    std::vector<double> ends{options_.rise * length - 1};
    if (options_.three_phase) ends.push_back(2 * options_.rise * length - 2);
    ends.push_back(length - 1);
    double begin = 0;
    for (std::size_t i = 0;; begin = ends[i++]) {
      if (now > ends[i] && i + 1 < ends.size()) continue;
      const double width = ends[i] - begin;
      return between(corners[i], corners[i + 1], width == 0 ? 1 : (now - begin) / width);
    }
  }
  double between(double from, double to, double share) const {
    if (options_.anneal == "linear") return from + (to - from) * share;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
  }

  Options options_;
  Clock clock_;
};

const Register<Schedule, OneCycle> one_cycle_schedule{{
    .name = "one_cycle",
    .summary = "the learning rate rises to a maximum and falls to nearly nothing, once",
    .paper = "Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using "
             "Large Learning Rates, 2018",
    .details = "PyTorch's OneCycleLR; behind its end the last rate stays",
    .aliases = {"one_cycle_lr"},
}};

}  // namespace
}  // namespace dml
