#include <algorithm>

#include "dml/schedule.hpp"

namespace dml {
namespace {

/// Two drops as in the published code of the Group Loss: before each, the best weights so far are
/// loaded; the rate behind the second is the same as behind the first.
class GroupLossSchedule final : public Schedule {
 public:
  struct Options {
    std::int64_t first = 31;
    std::int64_t second = 51;
    double factor = 0.1;
    static constexpr std::tuple fields{
        field("first", &Options::first, "epoch of the first drop, counted from 1", {1, 1e9}),
        field("second", &Options::second, "epoch of the second drop, counted from 1", {1, 1e9}),
        field("factor", &Options::factor, "what the first rate is multiplied with at both drops",
              {0, 1e3}),
    };
  };
  GroupLossSchedule(Options options, const Setup&) : options_(options) {}

  double rate(const Moment& moment, double base) const override {
    const bool dropped = moment.epoch + 1 >= std::min(options_.first, options_.second);
    return dropped ? base * options_.factor : base;
  }
  Actions before_epoch(std::int64_t epoch) const override {
    return {.reload_best = epoch + 1 == options_.first || epoch + 1 == options_.second};
  }

 private:
  Options options_;
};

const Register<Schedule, GroupLossSchedule> group_loss_schedule{{
    .name = "group_loss",
    .summary = "reload the best weights and take a tenth of the first rate, at epochs 31 and 51",
    .paper = "Elezi et al., The Group Loss for Deep Metric Learning, ECCV 2020",
    .details = "the published code sets a tenth of the first rate both times, not a hundredth at "
               "the second; the state of the optimizer is kept over a reload",
}};

}  // namespace
}  // namespace dml
