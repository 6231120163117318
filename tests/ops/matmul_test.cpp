#include "ops/matmul.hpp"

#include <doctest/doctest.h>

#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

OpCase product(const std::string& name, Shape a, Shape b, Transpose transpose) {
  return {.name = "matmul " + name,
          .inputs = {std::move(a), std::move(b)},
          .run = [transpose](auto& v) { return matmul(v[0], v[1], transpose); },
          .rtol = 1e-4,
          .atol = 1e-5};
}
const AddCase nn{product("nn", {3, 4}, {4, 5}, {})};
const AddCase nt{product("nt", {3, 4}, {5, 4}, {false, true})};
const AddCase tn{product("tn", {4, 3}, {4, 5}, {true, false})};
const AddCase tt{product("tt", {4, 3}, {5, 4}, {true, true})};
const AddCase stack{product("stack nn", {3, 2, 3}, {3, 3, 4}, {})};
const AddCase stack_nt{product("stack nt", {2, 2, 2, 3}, {2, 2, 4, 3}, {false, true})};
const AddCase stack_tt{product("stack tt", {3, 3, 2}, {3, 4, 3}, {true, true})};
const AddCase row{product("one row", {1, 33}, {33, 17}, {})};
const AddCase column{product("one column", {33, 1}, {1, 17}, {})};

const AddCase with_bias{{.name = "linear bias",
                         .inputs = {{4, 5}, {3, 5}, {3}},
                         .run = [](auto& v) { return linear(v[0], v[1], v[2]); },
                         .rtol = 1e-4}};
const AddCase deep{{.name = "linear of more dimensions",
                    .inputs = {{2, 3, 4}, {5, 4}, {5}},
                    .run = [](auto& v) { return linear(v[0], v[1], v[2]); },
                    .rtol = 1e-4}};
const AddCase no_bias{{.name = "linear without bias",
                       .inputs = {{2, 7}, {4, 7}},
                       .run = [](auto& v) { return linear(v[0], v[1], {}); },
                       .rtol = 1e-4}};

TEST_CASE("matmul: sizes that do not go together are refused") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const auto zeros = [&](Shape shape) { return tape->input(Tensor(std::move(shape), DType::f32)); };
  CHECK_THROWS_AS(matmul(zeros({2, 3}), zeros({2, 3})), ShapeError);
  CHECK_THROWS_AS(matmul(zeros({2, 3, 4}), zeros({3, 4, 3})), ShapeError);
  CHECK_THROWS_AS(matmul(zeros({3}), zeros({3, 3})), ShapeError);
  CHECK_THROWS_AS(linear(zeros({2, 3}), zeros({4, 5}), {}), ShapeError);
  CHECK_THROWS_AS(linear(zeros({2, 3}), zeros({4, 3}), zeros({3})), ShapeError);
}

TEST_CASE("matmul: operands and result may have a row pitch; beta adds to the result") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 1);
    const Tensor wide = Tensor::of<float>({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
    const Tensor b = Tensor::of<float>({2, 2}, {1, 0, 1, 1});
    Tensor into = Tensor::of<float>({2, 3}, {10, 20, 30, 40, 50, 60});
    Tensor slice = into.channels(1, 3);
    kernel::matmul(device, wide.channels(1, 3), b, {}, 2, 1, slice);
    const float want[] = {10, 30, 36, 40, 76, 74};
    for (std::size_t i = 0; i < 6; ++i) CHECK(into.data<float>()[i] == want[i]);
  }
}

}  // namespace
}  // namespace dml::testing
