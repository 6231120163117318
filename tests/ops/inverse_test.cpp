#include "ops/inverse.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "ops/matmul.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

/// Adds to the diagonal, so that no pivot is small.
void regular(std::vector<Tensor>& inputs) {
  const std::int64_t n = inputs[0].dim(0);
  for (std::int64_t i = 0; i < n; ++i)
    inputs[0].raw<double>()[i * n + i] += 3.0 + static_cast<double>(n);
}

const AddCase inverse_case{{.name = "inverse [5,5]",
                            .inputs = {{5, 5}},
                            .run = [](auto& x) { return inverse(x[0]); },
                            .prepare = regular}};
const AddCase log_det_case{{.name = "log_abs_det [4,4]",
                            .inputs = {{4, 4}},
                            .run = [](auto& x) { return log_abs_det(x[0]); },
                            .prepare = regular}};
const AddCase one{{.name = "inverse [1,1]",
                   .inputs = {{1, 1}},
                   .run = [](auto& x) { return inverse(x[0]); },
                   .prepare = regular}};

TEST_CASE("inverse: times the matrix it is one, rows being exchanged where a pivot is 0") {
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor::of<double>({3, 3}, {0, 2, 1, 1, 0, 0, 3, 0, -4}));
  const Tensor product = matmul(x, inverse(x)).value();
  for (int i = 0; i < 9; ++i)
    CHECK(product.raw<double>()[i] == doctest::Approx(i % 4 == 0 ? 1.0 : 0.0).epsilon(1e-14));
  CHECK(log_abs_det(x).value().item() == doctest::Approx(std::log(8.0)).epsilon(1e-14));
}

TEST_CASE(
    "inverse: a singular matrix has a log-determinant of minus infinity; others are refused") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  CHECK(log_abs_det(tape->input(Tensor({2, 2}, DType::f32))).value().item() == -INFINITY);
  CHECK_THROWS_WITH_AS(inverse(tape->input(Tensor({2, 3}, DType::f32))),
                       doctest::Contains("no square matrix"), ShapeError);
}

}  // namespace
}  // namespace dml::testing
