#include <cmath>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// Times `factor` after every epoch or step.
class Exponential final : public Schedule {
 public:
  struct Options {
    double factor = 0.97;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("factor", &Options::factor, "what the rate is multiplied with each time", {0, 1e3}),
        field("unit", &Options::unit, "how often", clock_units),
    };
  };
  Exponential(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, 0, setup) {}
  double rate(const Moment& moment, double base) const override {
    return base * std::pow(options_.factor, static_cast<double>(clock_.now(moment)));
  }

 private:
  Options options_;
  Clock clock_;
};

const Register<Schedule, Exponential> exponential_schedule{{
    .name = "exponential",
    .summary = "the learning rate is multiplied with a factor after every epoch",
    .details = "PyTorch's ExponentialLR",
    .aliases = {"exponential_lr"},
}};

}  // namespace
}  // namespace dml
