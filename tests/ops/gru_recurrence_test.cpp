#include "ops/gru_recurrence.hpp"

#include <doctest/doctest.h>

#include "ops/gru.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const std::vector<Shape> shapes{{4, 2, 15}, {15, 5}, {15}, {2, 5}};
const AddCase ahead{
    {"gru_recurrence", shapes, [](auto& x) { return gru_recurrence(x[0], x[1], x[2], x[3]); }}};
const AddCase back{{"gru_recurrence reversed", shapes,
                    [](auto& x) { return gru_recurrence(x[0], x[1], x[2], x[3], true); }}};
const AddCase lone{{"gru_recurrence of one step",
                    {{1, 1, 99}, {99, 33}, {99}, {1, 33}},
                    [](auto& x) { return gru_recurrence(x[0], x[1], x[2], x[3]); }}};

TEST_CASE("gru_recurrence: every state is that of a cell on the state before") {
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const auto normal = [&](const Shape& shape, std::uint64_t seed) {
    Tensor x = Tensor::empty(shape, DType::f64);
    init::normal(1)(x, Random(seed, Purpose::weights));
    return tape->input(x);
  };
  const GruWeights w{normal({12, 3}, 1), normal({12, 4}, 2), normal({12}, 3), normal({12}, 4)};
  const Var x = normal({5, 2, 3}, 5);
  Var h = normal({2, 4}, 6);
  const Var states = gru(x, h, w).output;
  for (std::int64_t t = 0; t < 5; ++t) {
    h = gru_cell(reshape(slice(x, 0, t, t + 1), {2, 3}), h, w);
    for (std::int64_t i = 0; i < 8; ++i)
      CHECK(states.value().raw<double>()[t * 8 + i] ==
            doctest::Approx(h.value().raw<double>()[i]).epsilon(1e-14));
  }
}

TEST_CASE("gru_recurrence: says which shapes do not fit") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const auto zeros = [&](const Shape& shape) { return tape->input(Tensor(shape, DType::f32)); };
  CHECK_THROWS_WITH_AS(
      gru_recurrence(zeros({4, 2, 14}), zeros({15, 5}), zeros({15}), zeros({2, 5})),
      doctest::Contains("[time, batch, 3 h]"), ShapeError);
}

}  // namespace
}  // namespace dml::testing
