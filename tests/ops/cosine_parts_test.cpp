#include <doctest/doctest.h>

#include <cmath>

#include "ops/chord.hpp"
#include "ops/hyperbolic.hpp"
#include "ops/keep_above.hpp"
#include "ops/soft_rank.hpp"
#include "ops/softmax.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

/// Numbers between -0.95 and 0.95.
void as_cosines(std::vector<Tensor>& inputs) {
  for (double& x : inputs[0].data<double>()) x = 0.95 * std::sin(3 * x);
}

const AddCase distance{{.name = "chord [3,5]",
                        .inputs = {{3, 5}},
                        .run = [](auto& x) { return chord(x[0]); },
                        .prepare = as_cosines}};
const AddCase kept{
    {.name = "logsumexp of keep_above [3,9]",
     .inputs = {{3, 9}},
     .run = [](auto& x) { return logsumexp(keep_above(x[0], 0)); },
     .prepare = [](std::vector<Tensor>& inputs) {  // off the bound, some above in every row
       for (double& x : inputs[0].data<double>()) x += x < 0 ? -0.01 : 0.01;
       for (std::int64_t r = 0; r < 3; ++r) inputs[0].raw<double>()[r * 9] = 1;
     }}};

const AddCase rank{{"soft_rank [3,5]", {{3, 5}}, [](auto& x) {
                      const Tensor chosen =
                          Tensor::of<float>({3, 5}, {1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, -1, 1, 1});
                      return soft_rank(x[0], chosen, 0.5);
                    }}};
const AddCase curved{{.name = "artanh [3,5]",
                      .inputs = {{3, 5}},
                      .run = [](auto& x) { return artanh(x[0]); },
                      .prepare = as_cosines}};

TEST_CASE("soft_rank: at a low temperature it is the rank") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const Var s = tape->input(Tensor::of<float>({1, 4}, {0.1F, 0.9F, 0.5F, 0.3F}));
  const Tensor chosen = Tensor::of<float>({1, 4}, {1, 1, 0, 1});
  const Tensor r = soft_rank(s, chosen, 1e-3).value();
  const std::vector<float> expected{4, 1, 0, 3};
  for (std::size_t i = 0; i < 4; ++i) CHECK(r.data<float>()[i] == doctest::Approx(expected[i]));
}

TEST_CASE("chord: vectors that coincide have no distance and no gradient") {
  const Chord chord_of;
  CHECK(chord_of.value(1.0) == 0);
  CHECK(chord_of.value(1.0F - 1e-7F) == 0);
  CHECK(chord_of.slope(1.0, 0.0) == 0);
  CHECK(chord_of.value(-1.0) == 2);
}

TEST_CASE("keep_above: the bound itself is kept") {
  const KeepAbove keep{0.5};
  CHECK(keep.value(0.5) == 0.5);
  CHECK(std::isinf(keep.value(0.49)));
  CHECK(keep.slope(0.49, 0.0) == 0);
}

}  // namespace
}  // namespace dml::testing
