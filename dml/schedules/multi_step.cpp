#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "dml/schedules/clock.hpp"

namespace dml {
namespace {

/// Whole numbers with commas between them. @throws UsageError
std::vector<std::int64_t> milestones_in(const std::string& text) {
  std::vector<std::int64_t> numbers;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    std::int64_t number = 0;
    schema::assign({"milestones", "integer", "", "", {0, 1e12}, ""}, word, number);
    numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// Times `factor` at each milestone; one that is named twice counts twice.
class MultiStep final : public Schedule {
 public:
  struct Options {
    std::string milestones = "20,40";
    double factor = 0.1;
    std::string unit = "epoch";
    static constexpr std::tuple fields{
        field("milestones", &Options::milestones, "when the rate changes: numbers with commas"),
        field("factor", &Options::factor, "what the rate is multiplied with", {0, 1e3}),
        field("unit", &Options::unit, "what milestones count", clock_units),
    };
  };
  MultiStep(Options options, const Setup& setup)
      : options_(options),
        milestones_(milestones_in(options.milestones)),
        clock_(options.unit, 0, setup) {}
  double rate(const Moment& moment, double base) const override {
    const auto passed =
        std::upper_bound(milestones_.begin(), milestones_.end(), clock_.now(moment)) -
        milestones_.begin();
    return base * std::pow(options_.factor, static_cast<double>(passed));
  }

 private:
  Options options_;
  std::vector<std::int64_t> milestones_;
  Clock clock_;
};

const Register<Schedule, MultiStep> multi_step_schedule{{
    .name = "multi_step",
    .summary = "the learning rate is multiplied with a factor at given epochs",
    .details = "PyTorch's MultiStepLR; a milestone that is named twice counts twice",
    .aliases = {"multi_step_lr"},
}};

}  // namespace
}  // namespace dml
