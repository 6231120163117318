#include <cmath>
#include <numbers>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

double half_cosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

/// Half a cosine from the rate to the minimum; behind its end it swings back, as in PyTorch.
class CosineSchedule final : public Schedule {
 public:
  struct Options {
    std::int64_t length = 0;
    double minimum = 0;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("length", &Options::length, "time from the rate to the minimum; 0: the whole run",
              {0, 1e12}),
        field("minimum", &Options::minimum, "the last rate, of all groups", {0, 1e6}),
        field("unit", &Options::unit, "what length counts", clock_units),
    };
  };
  CosineSchedule(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, options.length, setup) {}
  double rate(const Moment& moment, double base) const override {
    return half_cosine(
        base, options_.minimum,
        static_cast<double>(clock_.now(moment)) / static_cast<double>(clock_.length(moment)));
  }

 private:
  Options options_;
  Clock clock_;
};

/// Half cosines one after the other, each `growth` times as long as the one before.
class CosineRestarts final : public Schedule {
 public:
  struct Options {
    std::int64_t length = 10;
    std::int64_t growth = 1;
    double minimum = 0;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("length", &Options::length, "time to the first restart", {1, 1e12}),
        field("growth", &Options::growth, "how many times longer each period is than the last",
              {1, 1000}),
        field("minimum", &Options::minimum, "the rate at the end of a period, of all groups",
              {0, 1e6}),
        field("unit", &Options::unit, "what length counts", clock_units),
    };
  };
  CosineRestarts(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, options.length, setup) {}
  double rate(const Moment& moment, double base) const override {
    std::int64_t now = clock_.now(moment), length = options_.length;
    if (options_.growth == 1) now %= length;
    while (now >= length) {
      now -= length;
      length *= options_.growth;
    }
    return half_cosine(base, options_.minimum,
                       static_cast<double>(now) / static_cast<double>(length));
  }

 private:
  Options options_;
  Clock clock_;
};

const char* const paper =
    "Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017";

const Register<Schedule, CosineSchedule> cosine_schedule{{
    .name = "cosine",
    .summary = "half a cosine from the learning rate to a minimum",
    .paper = paper,
    .details = "PyTorch's CosineAnnealingLR; behind its length the rate swings back",
    .aliases = {"cosine_annealing", "cosine_annealing_lr"},
}};
const Register<Schedule, CosineRestarts> restarts{{
    .name = "cosine_restarts",
    .summary = "half cosines from the learning rate to a minimum, again and again",
    .paper = paper,
    .details = "PyTorch's CosineAnnealingWarmRestarts",
    .aliases = {"cosine_annealing_warm_restarts", "sgdr"},
}};

}  // namespace
}  // namespace dml
