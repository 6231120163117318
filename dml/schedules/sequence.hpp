#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dml/schedule.hpp"

namespace dml {

/// Schedules one after the other, each with a time of its own that begins where it takes over
/// (PyTorch's SequentialLR).
class SequentialSchedule final : public Schedule {
 public:
  /// @param parts  the schedules in order
  /// @param at     the epochs at which all but the first one take over, rising
  /// @throws UsageError when there is not one epoch less than schedules, or they do not rise.
  SequentialSchedule(std::vector<std::unique_ptr<Schedule>> parts, std::vector<std::int64_t> at);

  double rate(const Moment& moment, double base) const override;
  std::optional<double> momentum(const Moment& moment) const override;
  Actions before_epoch(std::int64_t epoch) const override;
  void observe(const Seen& seen) override;
  std::map<std::string, double> state() const override;
  void restore(const std::map<std::string, double>& state) override;

 private:
  std::size_t active(std::int64_t epoch) const;
  std::int64_t begin_of(std::size_t part) const { return part == 0 ? 0 : at_[part - 1]; }

  std::vector<std::unique_ptr<Schedule>> parts_;
  std::vector<std::int64_t> at_;
};

/// How the learning rate is raised before a schedule begins.
struct WarmUp {
  std::int64_t epochs = 0;  ///< 0: not at all
  double start = 0.1;       ///< share of the rate at first
  bool by_step = false;     ///< the rate rises with every step, not with every epoch
};

/// The schedule of that name behind a warm-up: the rate rises on a straight line from `start` to
/// its own, and the schedule's time begins then.
std::unique_ptr<Schedule> make_schedule(const std::string& name, const Settings& settings,
                                        const Schedule::Setup& setup, const WarmUp& warm_up);

}  // namespace dml
