#include "ops/softmax_plus_one.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/barrier.hpp"
#include "ops/exp.hpp"
#include "ops/smooth_l1.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

using Inputs = std::vector<Tensor>;

/// Scores of up to 90 in both directions, and one row far below 0.
void saturated(Inputs& all) {
  for (Tensor& x : all)
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.raw<double>()[i] = i < x.dim(-1) ? -200 : 45 * x.raw<double>()[i];
}

/// No element within 0.01 of -1, 0.3 or 1, where slopes or values jump.
void away_from_kinks(Inputs& all) {
  for (Tensor& x : all)
    for (double& value : x.data<double>())
      for (const double kink : {-1.0, 0.3, 1.0})
        if (std::abs(value - kink) < 0.01) value = kink + 0.02;
}

const AddCase rows{
    {"softmax_plus_one [3,4,5]", {{3, 4, 5}}, [](auto& x) { return softmax_plus_one(x[0]); }}};
const AddCase long_rows{
    {"softmax_plus_one [2,1300]", {{2, 1300}}, [](auto& x) { return softmax_plus_one(x[0]); }}};
const AddCase one{
    {"softmax_plus_one [7,1]", {{7, 1}}, [](auto& x) { return softmax_plus_one(x[0]); }}};
const AddCase large{{"softmax_plus_one saturated",
                     {{4, 6}},
                     [](auto& x) { return softmax_plus_one(x[0]); },
                     1e-5,
                     1e-6,
                     saturated}};
const AddCase steps{{"exp of barrier [5,7]",
                     {{5, 7}},
                     [](auto& x) { return exp(barrier(x[0], 0.3)); },
                     1e-5,
                     1e-6,
                     away_from_kinks}};
const AddCase smooth{{"smooth_l1 [5,33]",
                      {{5, 33}},
                      [](auto& x) { return smooth_l1(x[0]); },
                      1e-5,
                      1e-6,
                      away_from_kinks}};

TEST_CASE("softmax_plus_one: a line may add up to less than 1, down to nothing") {
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const double none = -std::numeric_limits<double>::infinity();
  const Tensor y =
      softmax_plus_one(tape->input(Tensor::of<double>({3, 2}, {0, 0, none, none, 1000, none})))
          .value();
  const std::vector<double> expected{1.0 / 3, 1.0 / 3, 0, 0, 1, 0};
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(y.data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-15));
}

}  // namespace
}  // namespace dml::testing
