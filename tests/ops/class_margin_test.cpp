#include "ops/class_margin.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "ops/class_logsumexp.hpp"
#include "ops/class_minimum.hpp"
#include "ops/softmax.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

Tensor labels() { return Tensor::of<std::int64_t>({4}, {2, 0, 2, 4}); }

/// Numbers between -0.95 and 0.95.
void as_cosines(std::vector<Tensor>& inputs) {
  for (double& x : inputs[0].data<double>()) x = 0.95 * std::sin(3 * x);
}

const AddCase shift{
    {"own_shift [4,5]", {{4, 5}}, [](auto& x) { return own_shift(x[0], labels(), -0.35); }}};
const AddCase fill{{"logsumexp without own [4,5]", {{4, 5}}, [](auto& x) {
                      return logsumexp(without_own(x[0], labels()));
                    }}};
const AddCase arc{{.name = "own_arc [4,5]",
                   .inputs = {{4, 5}},
                   .run = [](auto& x) { return own_arc(x[0], labels(), 0.5); },
                   .prepare = as_cosines}};
const AddCase bent{{.name = "own_arc without the linear part [4,5]",
                    .inputs = {{4, 5}},
                    .run = [](auto& x) { return own_arc(x[0], labels(), 1.2, false); },
                    .prepare = as_cosines}};
const AddCase by_class{
    {.name = "own_arc with a margin for every class [4,5]",
     .inputs = {{4, 5}},
     .run =
         [](auto& x) {
           const Tensor margins = Tensor::of<double>({5}, {0.5, 0.1, 0.3, 0.2, 0.7});
           return own_arc(x[0], labels(), margins.to(x[0].dtype()));
         },
     .prepare = as_cosines}};
const AddCase angle{{.name = "own_multiple_angle [4,5]",
                     .inputs = {{4, 5}},
                     .run = [](auto& x) { return own_multiple_angle(x[0], labels(), 4, 0.5); },
                     .prepare = as_cosines}};
const AddCase own_side{{"class_logsumexp own [4,5]", {{4, 5}}, [](auto& x) {
                          return class_logsumexp(x[0], labels(), ClassSide::own);
                        }}};
const AddCase other_side{{"class_logsumexp other [4,600]", {{4, 600}}, [](auto& x) {
                            return class_logsumexp(x[0], labels(), ClassSide::other);
                          }}};
const AddCase least{
    {"class_minimum [4,4]", {{4, 4}}, [](auto& x) { return class_minimum(x[0], labels(), 6); }}};

TEST_CASE("class_logsumexp: large exponents, empty sides") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor::of<float>({2, 2}, {1000, -1000, 900, 1e-9F}));
  const Tensor rows = Tensor::of<std::int64_t>({2}, {0, 0});
  const Tensor own = class_logsumexp(x, rows, ClassSide::own).value();
  const Tensor other = class_logsumexp(x, rows, ClassSide::other).value();
  CHECK(own.data<float>()[0] == 1000);
  CHECK(own.data<float>()[1] == 0);
  CHECK(other.data<float>()[0] == 0);
  CHECK(other.data<float>()[1] == doctest::Approx(std::log(2.0)));
}

TEST_CASE("class_minimum: ties share the gradient evenly") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const Var x = tape->variable(Tensor::of<double>({3, 3}, {1, 0.5, 0.5, 0.5, 1, 0.7, 0.5, 0.7, 1}));
  const Var y = class_minimum(x, Tensor::of<std::int64_t>({3}, {1, 1, 1}), 2);
  CHECK(y.value().data<double>()[0] == 0);
  CHECK(y.value().data<double>()[1] == 0.5);
  const std::pair<Var, Tensor> output{y, Tensor::of<double>({2}, {3, 1})};
  tape->backward(std::span(&output, 1));
  const Tensor gradient = tape->gradient(x);
  const std::vector<double> expected{0, .25, .25, .25, 0, 0, .25, 0, 0};
  for (std::size_t i = 0; i < 9; ++i) CHECK(gradient.data<double>()[i] == expected[i]);
}

TEST_CASE("class margins: what the formulas say at the ends of the half circle") {
  const OwnArc wide{{true}, 1.0};
  CHECK(wide.value(1.0) == doctest::Approx(std::cos(1.0)));
  CHECK(wide.slope(1.0) == 0);
  CHECK(wide.value(-1.0) == doctest::Approx(-1 - std::sin(1.0)));
  for (const std::int64_t m : {1, 2, 3, 4}) {
    const OwnMultipleAngle multiple{m, 0};
    CHECK(multiple.value(1.0) == doctest::Approx(1));
    CHECK(multiple.value(-1.0) == doctest::Approx(1 - 2 * static_cast<double>(m)));
    // Continuous where the branch changes.
    const double seam = std::cos(3.14159265358979 / static_cast<double>(m));
    CHECK(multiple.value(seam + 1e-9) ==
          doctest::Approx(multiple.value(seam - 1e-9)).epsilon(1e-6));
  }
  CHECK(OwnMultipleAngle{1, 0}.value(0.3) == doctest::Approx(0.3));
}

}  // namespace
}  // namespace dml::testing
