#include <doctest/doctest.h>

#include <cmath>

#include "dml/schedules/sequence.hpp"

namespace dml {
namespace {

std::unique_ptr<Schedule> make(const std::string& name, const Settings& settings,
                               Schedule::Setup setup = {}) {
  return Registry<Schedule>::make(name, settings, setup);
}

TEST_CASE("schedules: counted by steps, and to the end of the run") {
  const auto cosine = make("cosine", {{"unit", "step"}}, {.epochs = 2});
  CHECK(cosine->rate({0, 0, 10}, 3) == 3);
  CHECK(cosine->rate({1, 0, 10}, 3) == doctest::Approx(1.5).epsilon(1e-12));
  CHECK(cosine->rate({1, 5, 10}, 1) == doctest::Approx((1 - std::sqrt(0.5)) / 2).epsilon(1e-12));
  const auto by_steps = make("cosine", {{"unit", "step"}}, {.steps = 15});
  CHECK(by_steps->rate({1, 5, 10}, 1) == doctest::Approx(0).epsilon(1e-12));
  const auto by_epochs = make("cosine", {}, {.steps = 40});
  CHECK(by_epochs->rate({2, 7, 10}, 1) == doctest::Approx(0.5).epsilon(1e-12));
  const auto step = make("step", {{"unit", "step"}, {"every", "4"}});
  CHECK(step->rate({1, 2, 10}, 1) == 0.125);
}

TEST_CASE("schedules: a warm-up stands in front of any schedule, whose time begins behind it") {
  const auto one = make_schedule("cosine", {}, {.epochs = 12}, {.epochs = 2, .start = 0.5});
  CHECK(one->rate({0, 3, 4}, 1) == 0.5);
  CHECK(one->rate({1, 3, 4}, 1) == 0.75);
  CHECK(one->rate({2, 0, 4}, 1) == 1);
  CHECK(one->rate({7, 0, 4}, 1) == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(one->rate({12, 0, 4}, 1) == doctest::Approx(0).epsilon(1e-12));
  const auto fine =
      make_schedule("constant", {}, {.epochs = 12}, {.epochs = 2, .start = 0, .by_step = true});
  CHECK(fine->rate({1, 2, 4}, 8) == 6);
  CHECK(fine->rate({5, 2, 4}, 8) == 8);
  CHECK(make_schedule("constant", {}, {.epochs = 2}, {})->rate({0, 0, 1}, 8) == 8);
}

TEST_CASE("schedules: the state of a plateau goes through a checkpoint, also inside a sequence") {
  const WarmUp warm_up{.epochs = 2};
  const Settings settings{{"patience", "1"}, {"factor", "0.5"}, {"cooldown", "1"}};
  const auto first = make_schedule("plateau", settings, {.epochs = 20}, warm_up);
  for (std::int64_t epoch = 0; epoch < 30; ++epoch) {
    const auto second = make_schedule("plateau", settings, {.epochs = 20}, warm_up);
    second->restore(first->state());
    CHECK(second->rate({epoch, 0, 1}, 1) == first->rate({epoch, 0, 1}, 1));
    const double metric = std::sin(static_cast<double>(epoch));
    second->observe({.epoch = epoch, .metric = metric});
    first->observe({.epoch = epoch, .metric = metric});
    CHECK(second->state() == first->state());
  }
  CHECK(first->rate({30, 0, 1}, 1) < 0.2);
  CHECK_THROWS_AS(first->restore({}), FormatError);
}

TEST_CASE("schedules: a plateau watches the loss where it is told so, and skips no evaluation") {
  const auto loss = make("plateau", {{"watch", "loss"}, {"mode", "min"}, {"patience", "0"}});
  loss->observe({.epoch = 0, .metric = 1, .loss = 2});
  CHECK(loss->rate({}, 1) == 1);
  loss->observe({.epoch = 1, .metric = 2, .loss = 2});
  CHECK(loss->rate({}, 1) == doctest::Approx(0.1));
  const auto metric = make("plateau", {{"patience", "0"}});
  metric->observe({.epoch = 0, .metric = 1});
  metric->observe({.epoch = 1});
  CHECK(metric->rate({}, 1) == 1);
  metric->observe({.epoch = 2, .metric = 1});
  CHECK(metric->rate({}, 1) == doctest::Approx(0.1));
}

TEST_CASE("schedules: what makes no sense is refused in words") {
  CHECK_THROWS_WITH_AS(make("sequence", {{"parts", "cosine; step"}}),
                       doctest::Contains("2 parts need 1 epochs in `at`; found 0"), UsageError);
  CHECK_THROWS_WITH_AS(make("sequence", {{"parts", "cosine; step; step"}, {"at", "5,5"}}),
                       doctest::Contains("must rise"), UsageError);
  CHECK_THROWS_WITH_AS(make("sequence", {{"parts", "cosin length=2"}}),
                       doctest::Contains("did you mean 'cosine'"), UsageError);
  CHECK_THROWS_AS(make("sequence", {{"parts", "cosine lenght=2"}}), UsageError);
  CHECK_THROWS_AS(make("sequence", {{"parts", "cosine 2"}}), UsageError);
  CHECK_THROWS_AS(make("multi_step", {{"milestones", "3,x"}}), UsageError);
}

TEST_CASE("schedules: no rate is ever negative or no number") {
  for (const std::string& name : Registry<Schedule>::names()) {
    CAPTURE(name);
    Settings settings;
    if (name == "sequence") settings = {{"parts", "linear; one_cycle"}, {"at", "3"}};
    for (const std::int64_t epochs : {0, 1, 7}) {
      const auto schedule = make(name, settings, {.epochs = epochs});
      for (std::int64_t epoch = 0; epoch < 12; ++epoch)
        for (std::int64_t step = 0; step < 3; ++step) {
          const double rate = schedule->rate({epoch, step, 3}, 0.1);
          CHECK((rate >= 0 && rate <= 0.1000001));
          const double momentum = schedule->momentum({epoch, step, 3}).value_or(0.9);
          CHECK((momentum >= 0.84999 && momentum <= 0.95001));
        }
    }
  }
}

}  // namespace
}  // namespace dml
