#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// The optimizer's own rate, or a share of it at the beginning.
class Constant final : public Schedule {
 public:
  struct Options {
    double factor = 1;
    std::int64_t length = 0;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("factor", &Options::factor, "what the rate is multiplied with at the beginning",
              {0, 1e3}),
        field("length", &Options::length, "how long it is; 0: not at all", {0, 1e12}),
        field("unit", &Options::unit, "what length counts", clock_units),
    };
  };
  Constant(Options options, const Setup& setup)
      : options_(options), clock_(options.unit, options.length, setup) {}
  double rate(const Moment& moment, double base) const override {
    return clock_.now(moment) < options_.length ? base * options_.factor : base;
  }

 private:
  Options options_;
  Clock clock_;
};

const Register<Schedule, Constant> constant_schedule{{
    .name = "constant",
    .summary = "the same learning rate all along, or after a beginning",
    .details = "with factor and length it is PyTorch's ConstantLR",
}};

}  // namespace
}  // namespace dml
