#include <algorithm>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// A straight line between two shares of the rate, then the second one.
class LinearSchedule final : public Schedule {
 public:
  struct Options {
    double start = 1.0 / 3;
    double end = 1;
    std::int64_t length = 5;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("start", &Options::start, "share of the rate at first", {0, 1e3}),
        field("end", &Options::end, "share of the rate after `length`", {0, 1e3}),
        field("length", &Options::length, "time between the two", {1, 1e12}),
        field("unit", &Options::unit, "what length counts", clock_units),
    };
  };
  LinearSchedule(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, options.length, setup) {}
  double rate(const Moment& moment, double base) const override {
    const double share = static_cast<double>(std::min(clock_.now(moment), options_.length)) /
                         static_cast<double>(options_.length);
    return base * (options_.start + (options_.end - options_.start) * share);
  }

 private:
  Options options_;
  Clock clock_;
};

const Register<Schedule, LinearSchedule> linear_schedule{{
    .name = "linear",
    .summary = "the learning rate moves on a straight line, as in a warm-up",
    .paper = "Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017",
    .details = "PyTorch's LinearLR. A warm-up in front of another schedule is --warmup-epochs",
    .aliases = {"linear_lr"},
}};

}  // namespace
}  // namespace dml
