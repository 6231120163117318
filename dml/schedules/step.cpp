#include <cmath>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// Times `factor` every so many epochs.
class Step final : public Schedule {
 public:
  struct Options {
    std::int64_t every = 10;
    double factor = 0.5;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("every", &Options::every, "time between two changes", {1, 1e12}),
        field("factor", &Options::factor, "what the rate is multiplied with", {0, 1e3}),
        field("unit", &Options::unit, "what `every` counts", clock_units),
    };
  };
  Step(Options options, const Setup& setup) : options_(options), clock_(options.unit, 0, setup) {}
  double rate(const Moment& moment, double base) const override {
    return base *
           std::pow(options_.factor, static_cast<double>(clock_.now(moment) / options_.every));
  }

 private:
  Options options_;
  Clock clock_;
};

const Register<Schedule, Step> step_schedule{{
    .name = "step",
    .summary = "the learning rate is multiplied with a factor every so many epochs",
    .details = "PyTorch's StepLR",
    .aliases = {"step_lr"},
}};

}  // namespace
}  // namespace dml
