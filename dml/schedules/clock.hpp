#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "dml/schedule.hpp"

namespace dml {

/// The choices of option `unit` of schedules.
inline constexpr const char* clock_units = "epoch|step";

/// The time of a schedule: whole epochs or whole steps, from 0.
class Clock {
 public:
  /// @param unit    "epoch" or "step"
  /// @param length  of the schedule in that unit; 0: to the end of the run
  Clock(const std::string& unit, std::int64_t length, const Schedule::Setup& setup)
      : by_step_(unit == "step"), length_(length), setup_(setup) {}

  /// What has passed.
  std::int64_t now(const Moment& moment) const {
    return by_step_ ? moment.epoch * moment.steps_per_epoch + moment.step : moment.epoch;
  }
  /// How long the schedule is; at least 1.
  std::int64_t length(const Moment& moment) const {
    if (length_ > 0) return length_;
    const std::int64_t per = moment.steps_per_epoch;
    const std::int64_t skipped = setup_.skipped * per;
    const std::int64_t steps = (setup_.steps > 0 ? setup_.steps : setup_.epochs * per) - skipped;
    return std::max<std::int64_t>(1, by_step_ ? steps : (steps + per - 1) / per);
  }

 private:
  bool by_step_;
  std::int64_t length_;
  Schedule::Setup setup_;
};

}  // namespace dml
