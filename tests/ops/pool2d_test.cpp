#include "ops/pool2d.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

/// All elements differ by more than the step of a difference quotient: no maximum changes hands.
void distinct(std::vector<Tensor>& inputs) {
  visit_float(inputs[0].dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < inputs[0].size(); ++i)
      inputs[0].raw<T>()[i] = T(0.01) * static_cast<T>(i * 7919 % 1009) - T(5);
  });
}

OpCase max_case(const std::string& name, Shape x, Pool2dOptions options) {
  return {.name = "max_pool2d " + name,
          .inputs = {std::move(x)},
          .run = [options](auto& v) { return max_pool2d(v[0], options); },
          .prepare = distinct};
}
OpCase avg_case(const std::string& name, Shape x, Pool2dOptions options) {
  return {.name = "avg_pool2d " + name, .inputs = {std::move(x)}, .run = [options](auto& v) {
            return avg_pool2d(v[0], options);
          }};
}

const AddCase max_stem{
    max_case("3/2/1", {2, 7, 8, 3}, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}})};
const AddCase max_ceil{
    max_case("3/2/0 ceil", {1, 6, 8, 5}, {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true})};
const AddCase max_same{
    max_case("3/1/1", {1, 4, 5, 2}, {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}})};
const AddCase max_dilated{
    max_case("dilation 2", {1, 7, 7, 2},
             {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .dilation = {2, 2}})};
const AddCase max_wide{max_case("many channels", {1, 4, 4, 70}, {})};
const AddCase avg_same{
    avg_case("3/1/1", {2, 5, 4, 3}, {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}})};
const AddCase avg_inside{avg_case("3/2/1 ceil, padding does not count", {1, 6, 8, 2},
                                  {.kernel = {3, 3},
                                   .stride = {2, 2},
                                   .pad = {1, 1},
                                   .ceil_mode = true,
                                   .count_include_pad = false})};
const AddCase avg_beyond{
    avg_case("3/2/1 ceil, padding counts", {1, 6, 8, 2},
             {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .ceil_mode = true})};
const AddCase avg_uneven{
    avg_case("axes differ", {1, 6, 9, 70}, {.kernel = {2, 3}, .stride = {2, 3}})};
const AddCase cells{{.name = "adaptive_avg_pool2d 3x2",
                     .inputs = {{1, 7, 5, 2}},
                     .run = [](auto& v) { return adaptive_avg_pool2d(v[0], 3, 2); }}};
const AddCase more_cells{{.name = "adaptive_avg_pool2d to more cells",
                          .inputs = {{1, 2, 3, 2}},
                          .run = [](auto& v) { return adaptive_avg_pool2d(v[0], 4, 4); }}};
const AddCase max_cells{{.name = "adaptive_max_pool2d 3x2",
                         .inputs = {{1, 7, 5, 2}},
                         .run = [](auto& v) { return adaptive_max_pool2d(v[0], 3, 2); },
                         .prepare = distinct}};
const AddCase global_avg{{.name = "global_avg_pool", .inputs = {{2, 5, 4, 3}}, .run = [](auto& v) {
                            return global_avg_pool(v[0]);
                          }}};
const AddCase global_max{{.name = "global_max_pool",
                          .inputs = {{2, 5, 4, 3}},
                          .run = [](auto& v) { return global_max_pool(v[0]); },
                          .prepare = distinct}};

TEST_CASE("pool2d: the number of windows follows PyTorch's rule") {
  const auto windows = [](std::int64_t size, int kernel, int stride, int pad, bool ceil) {
    return pool2d_shape({1, size, size, 1}, {.kernel = {kernel, kernel},
                                             .stride = {stride, stride},
                                             .pad = {pad, pad},
                                             .ceil_mode = ceil})[1];
  };
  CHECK(windows(112, 3, 2, 1, false) == 56);
  CHECK(windows(112, 3, 2, 0, true) == 56);
  CHECK(windows(28, 3, 1, 1, true) == 28);
  CHECK(windows(4, 2, 3, 1, true) == 2);  // a third would start in the right padding
  CHECK(windows(2, 3, 2, 0, true) == 1);  // larger than the map, but begins inside it
  CHECK_THROWS_AS(windows(2, 3, 2, 0, false), ShapeError);
  CHECK_THROWS_AS(windows(6, 7, 1, 0, true), ShapeError);
  CHECK_THROWS_AS(windows(8, 3, 2, 2, false), ShapeError);
}

TEST_CASE("max_pool2d: the first of equal maxima takes the gradient; NaN is a maximum") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 1);
    const auto tape = Tape::train(device);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Var x = tape->variable(Tensor::of<float>({1, 2, 4, 1}, {1, 1, 0, nan, 1, 1, 7, 7}));
    const Var y = max_pool2d(x, {});
    CHECK(y.value().data<float>()[0] == 1);
    CHECK(std::isnan(y.value().data<float>()[1]));
    const std::pair<Var, Tensor> output{y, Tensor::of<float>({1, 1, 2, 1}, {3, 4})};
    tape->backward(std::span(&output, 1));
    const Tensor dx = tape->gradient(x);
    const float want[] = {3, 0, 0, 4, 0, 0, 0, 0};
    for (std::size_t i = 0; i < 8; ++i) CHECK(dx.data<float>()[i] == want[i]);
  }
}

TEST_CASE("pool2d: the result goes into a channel slice") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  Tensor x({1, 4, 4, 2}, DType::f32), whole({1, 2, 2, 6}, DType::f32);
  for (std::size_t i = 0; i < 32; ++i) x.data<float>()[i] = static_cast<float>(i);
  max_pool2d(tape->input(x), {}, whole.channels(0, 2));
  avg_pool2d(tape->input(x), {}, whole.channels(4, 6));
  const float want[] = {10, 11, 0, 0, 5, 6};
  for (std::size_t i = 0; i < 6; ++i) CHECK(whole.data<float>()[i] == want[i]);
  CHECK_THROWS_AS(max_pool2d(tape->input(x), {}, whole), ShapeError);
}

}  // namespace
}  // namespace dml::testing
