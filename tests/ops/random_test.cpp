// Ops that make or use random numbers on the device, and the counting of positive ones.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "ops/categorical.hpp"
#include "ops/noise.hpp"
#include "ops/positive.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const AddCase noise_case{
    {.name = "noise added",
     .inputs = {{3, 40}},
     .run =
         [](auto& x) {
           const NoiseRows rows{.kind = Noise::normal, .random = {3, Purpose::mine}, .first = 2};
           return x[0].constant_like(noise(x[0].device(), rows, x[0].shape(), x[0].dtype()));
         },
     .gradient = false}};
const AddCase draw_case{
    {.name = "categorical [6,5]",
     .inputs = {{6, 5}},
     .run =
         [](auto& x) {
           return x[0].constant_like(
               categorical(x[0].device(), x[0].value(), {5, Purpose::mine}).found);
         },
     .gradient = false}};
const AddCase positive_case{{.name = "positive",
                             .inputs = {{4, 33}},
                             .run = [](auto& x) { return positive(x[0]); },
                             .gradient = false}};
/// positive() itself asks for no gradient; this runs its backward kernel, off the step at 0.
const AddCase positive_recorded{
    {.name = "positive, recorded",
     .inputs = {{4, 33}},
     .run = [](auto& x) { return apply(Pointwise<Positive>{{}}, x[0]); },
     .prepare =
         [](std::vector<Tensor>& inputs) {
           for (double& value : inputs[0].data<double>()) value += value > 0 ? 0.1 : -0.1;
         }}};

TEST_CASE("noise: rows are the same however a set is cut, and normal numbers are normal") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 2);
    NoiseRows rows{.kind = Noise::normal, .random = {1, Purpose::mine}};
    const Tensor all = noise(device, rows, {300, 64}, DType::f64);
    rows.first = 100;
    const Tensor part = noise(device, rows, {2, 64}, DType::f64);
    for (std::int64_t i = 0; i < part.size(); ++i)
      CHECK(part.raw<double>()[i] == all.raw<double>()[100 * 64 + i]);
    double sum = 0, squares = 0;
    for (const double value : all.data<double>()) sum += value, squares += value * value;
    const double n = static_cast<double>(all.size());
    CHECK(std::abs(sum / n) < 0.03);
    CHECK(std::abs(squares / n - 1) < 0.04);
    rows.kind = Noise::uniform;
    double total = 0;
    const Tensor uniform = noise(device, rows, {300, 64}, DType::f64);
    for (const double value : uniform.data<double>()) {
      CHECK((value >= 0 && value < 1));
      total += value;
    }
    CHECK(std::abs(total / n - 0.5) < 0.01);
  }
}

TEST_CASE("categorical: draws in proportion to the weights, never what has none") {
  Device device(Backend::reference);
  const std::int64_t n = 20000;
  Tensor weight({n, 4}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) {
    weight.raw<double>()[i * 4] = 1;
    weight.raw<double>()[i * 4 + 1] = std::nan("");
    weight.raw<double>()[i * 4 + 2] = 3;
  }
  const Drawn drawn = categorical(device, weight, {9, Purpose::mine});
  std::array<std::int64_t, 4> counts{};
  for (const std::int64_t place : drawn.place.data<std::int64_t>())
    ++counts[static_cast<std::size_t>(place)];
  CHECK(counts[1] == 0);
  CHECK(counts[3] == 0);
  CHECK(std::abs(static_cast<double>(counts[0]) / static_cast<double>(n) - 0.25) < 0.015);
  const Drawn nothing = categorical(device, Tensor({2, 3}, DType::f32), {9, Purpose::mine});
  CHECK(nothing.found.raw<float>()[0] == 0);
  CHECK(nothing.place.raw<std::int64_t>()[1] == 0);
}

}  // namespace
}  // namespace dml::testing
