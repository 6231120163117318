#include "ops/conv2d.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/cpu/onednn.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

OpCase conv_case(const std::string& name, Shape x, Shape weight, Conv2dOptions options,
                 bool bias = false) {
  std::vector<Shape> inputs{std::move(x), weight};
  if (bias) inputs.push_back({weight[0]});
  const auto run = [options](const std::vector<Var>& v) {
    return conv2d(v[0], v[1], v.size() == 3 ? v[2] : Var{}, options);
  };
  return {.name = "conv2d " + name,
          .inputs = std::move(inputs),
          .run = run,
          .rtol = 1e-4,
          .atol = 1e-5};
}

const AddCase plain{conv_case("3x3", {2, 7, 5, 3}, {4, 3, 3, 3}, {.pad = {1, 1}}, true)};
const AddCase point{conv_case("1x1", {2, 4, 3, 16}, {32, 1, 1, 16}, {})};
const AddCase point2{conv_case("1x1 stride 2", {2, 6, 7, 4}, {3, 1, 1, 4}, {.stride = {2, 2}})};
const AddCase stem{
    conv_case("7x7 stride 2", {1, 17, 13, 3}, {5, 7, 7, 3}, {.stride = {2, 2}, .pad = {3, 3}})};
const AddCase strided{conv_case("3x3 stride 2", {2, 8, 6, 16}, {16, 3, 3, 16},
                                {.stride = {2, 2}, .pad = {1, 1}}, true)};
const AddCase uneven{conv_case("axes differ", {2, 9, 8, 2}, {3, 3, 5, 2},
                               {.stride = {2, 1}, .pad = {1, 2}, .dilation = {1, 2}}, true)};
const AddCase dilated{
    conv_case("dilation", {1, 8, 8, 2}, {3, 3, 3, 2}, {.pad = {2, 2}, .dilation = {2, 2}})};
const AddCase grouped{
    conv_case("groups", {2, 6, 6, 4}, {6, 3, 3, 2}, {.pad = {1, 1}, .groups = 2}, true)};
const AddCase depthwise{conv_case("depthwise", {1, 5, 7, 3}, {6, 3, 3, 1},
                                  {.stride = {2, 2}, .pad = {1, 1}, .groups = 3})};
const AddCase far{conv_case("pad beyond the window", {1, 4, 3, 2}, {2, 3, 3, 2}, {.pad = {3, 3}})};
const AddCase skips{conv_case("stride beyond the window", {1, 11, 10, 2}, {2, 2, 1, 2},
                              {.stride = {4, 3}, .pad = {1, 0}})};
const AddCase pixel{conv_case("one pixel", {4, 1, 1, 5}, {3, 1, 1, 5}, {}, true)};
const AddCase odd{conv_case("odd channels", {2, 5, 5, 19}, {21, 3, 3, 19}, {.pad = {1, 1}})};

TEST_CASE("conv2d: shapes that do not go together are refused") {
  CHECK(conv2d_shape({2, 224, 224, 3}, {64, 7, 7, 3}, {.stride = {2, 2}, .pad = {3, 3}}) ==
        Shape{2, 112, 112, 64});
  CHECK_THROWS_AS(conv2d_shape({1, 4, 4, 3}, {8, 3, 3, 4}, {}), ShapeError);
  CHECK_THROWS_AS(conv2d_shape({1, 2, 2, 3}, {8, 3, 3, 3}, {}), ShapeError);
  CHECK_THROWS_AS(conv2d_shape({1, 4, 4, 4}, {9, 3, 3, 2}, {.groups = 2}), ShapeError);
  CHECK_THROWS_AS(conv2d_shape({4, 4, 3}, {8, 3, 3, 3}, {}), ShapeError);
}

TEST_CASE("conv2d: a kernel of ones counts the pixels of its window") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 1);
    const auto tape = Tape::infer(device);
    Tensor ones({1, 3, 3, 1}, DType::f32), bias({1}, DType::f32);
    for (float& value : ones.data<float>()) value = 1;
    bias.data<float>()[0] = 10;
    const Var y = conv2d(tape->input(ones), tape->input(ones), tape->input(bias), {.pad = {1, 1}});
    const float want[] = {14, 16, 14, 16, 19, 16, 14, 16, 14};
    for (std::size_t i = 0; i < 9; ++i) CHECK(y.value().data<float>()[i] == want[i]);
  }
}

TEST_CASE("conv2d: the epilogue equals bias, addition and ReLU after it") {
  Tensor x({2, 5, 5, 16}, DType::f32), weight({32, 3, 3, 16}, DType::f32), bias({32}, DType::f32);
  Tensor residual({2, 5, 5, 32}, DType::f32);
  float next = 0;
  for (Tensor* tensor : {&x, &weight, &bias, &residual})
    for (float& value : tensor->data<float>()) value = std::sin(next += 1.7F);
  Device reference(Backend::reference), fast(Backend::cpu, 1);
  for (const bool relu : {false, true})
    for (const bool add : {false, true}) {
      const Conv2dEpilogue epilogue{bias, add ? residual : Tensor{}, relu};
      const Conv2dOptions options{.pad = {1, 1}};
      const Tensor want = conv2d_inference(reference, x, weight, options, epilogue);
      const Tensor got = conv2d_inference(fast, x, weight, options, epilogue);
      for (std::size_t i = 0; i < got.data<float>().size(); ++i)
        REQUIRE(got.data<float>()[i] == doctest::Approx(want.data<float>()[i]).epsilon(1e-4));
    }
}

/// The convolutions of a net at 224 pixels: channels, map, outputs, window, stride, pad.
struct Layer {
  std::int64_t c, size, k, window, stride, pad;
};

std::vector<Layer> resnet50() {
  std::vector<Layer> all{{3, 224, 64, 7, 2, 3}};
  std::int64_t size = 56, in = 64, width = 64;
  for (const std::int64_t blocks : {3, 4, 6, 3}) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t stride = b == 0 && width > 64 ? 2 : 1;
      all.push_back({in, size, width, 1, 1, 0});
      all.push_back({width, size, width, 3, stride, 1});
      if (b == 0) all.push_back({in, size, 4 * width, 1, stride, 0});
      size /= stride;
      all.push_back({width, size, 4 * width, 1, 1, 0});
      in = 4 * width;
    }
    width *= 2;
  }
  return all;
}

/// in, branches A, B (two), C (two, the second doubled) and D of every block; 0: no such branch.
std::vector<Layer> bn_inception() {
  std::vector<Layer> all{{3, 224, 64, 7, 2, 3}, {64, 56, 64, 1, 1, 0}, {64, 56, 192, 3, 1, 1}};
  const std::int64_t blocks[][9] = {
      {192, 28, 64, 64, 64, 64, 96, 96, 32},        {256, 28, 64, 64, 96, 64, 96, 96, 64},
      {320, 28, 0, 128, 160, 64, 96, 96, 0},        {576, 14, 224, 64, 96, 96, 128, 128, 128},
      {576, 14, 192, 96, 128, 96, 128, 128, 128},   {576, 14, 160, 128, 160, 128, 160, 160, 128},
      {608, 14, 96, 128, 192, 160, 192, 192, 128},  {608, 14, 0, 128, 192, 192, 256, 256, 0},
      {1056, 7, 352, 192, 320, 160, 224, 224, 128}, {1024, 7, 352, 192, 320, 192, 224, 224, 128}};
  for (const auto& [in, size, a, b1, b2, c1, c2, c3, d] : blocks) {
    const std::int64_t stride = a == 0 ? 2 : 1;
    for (const std::int64_t k : {a, b1, c1, d})
      if (k > 0) all.push_back({in, size, k, 1, 1, 0});
    all.push_back({b1, size, b2, 3, stride, 1});
    all.push_back({c1, size, c2, 3, 1, 1});
    all.push_back({c2, size, c3, 3, stride, 1});
  }
  return all;
}

TEST_CASE("conv2d: no layer of ResNet-50 or BN-Inception runs oneDNN's reference") {
  std::vector<Layer> layers = resnet50();
  for (const Layer& layer : bn_inception()) layers.push_back(layer);
  CHECK(layers.size() == 53 + 69);
  for (const Layer& v : layers) {
    const std::int64_t out = (v.size + 2 * v.pad - v.window) / v.stride + 1;
    const auto names = cpu::onednn::implementations({.n = 2,
                                                     .h = v.size,
                                                     .w = v.size,
                                                     .c = v.c,
                                                     .k = v.k,
                                                     .r = v.window,
                                                     .s = v.window,
                                                     .oh = out,
                                                     .ow = out,
                                                     .stride = {v.stride, v.stride},
                                                     .pad = {v.pad, v.pad},
                                                     .dilation = {1, 1}});
    CAPTURE(v.c);
    CAPTURE(v.k);
    for (const std::string& name : names) {
      CHECK(!name.empty());
      CHECK(name.find("ref") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace dml::testing
