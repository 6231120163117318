#include "nets/head.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "nets/model.hpp"
#include "tests/fill.hpp"

namespace dml::testing {
namespace {

/// One image whose map has two channels: 1 2 3 6 (mean 3, maximum 6) and -4 0 0 0 (-1, 0).
Tensor small_map() { return Tensor::of<float>({1, 2, 2, 2}, {1, -4, 2, 0, 3, 0, 6, 0}); }

TEST_CASE("head: pooling is the mean, the maximum, or their sum") {
  Device device = Device::open("cpu", 1);
  const auto pooled = [&](const char* kind) {
    ParameterStore store(device);
    const Head head({.pooling = kind}, Scope(store), 2);
    const Var map = Tape::infer(device)->input(small_map());
    const Tensor y = head(map).embedding.value();
    CHECK(y.shape() == Shape{1, 2});
    return std::pair{y.data<float>()[0], y.data<float>()[1]};
  };
  CHECK(pooled("avg") == std::pair{3.F, -1.F});
  CHECK(pooled("max") == std::pair{6.F, 0.F});
  CHECK(pooled("both") == std::pair{9.F, -1.F});
}

TEST_CASE("head: a window of 7 x 7 wants a map of 7 x 7") {
  Device device = Device::open("cpu", 1);
  ParameterStore store(device);
  const auto tape = Tape::infer(device);
  for (const char* kind : {"avg7", "max7"}) {
    const Head head({.pooling = kind}, Scope(store), 2);
    CHECK(head.pool(tape->input(Tensor({3, 7, 7, 2}, DType::f32))).shape() == Shape{3, 2});
    CHECK_THROWS_WITH_AS(head.pool(tape->input(Tensor({3, 8, 8, 2}, DType::f32))),
                         doctest::Contains("2 x 2"), ShapeError);
  }
}

TEST_CASE("head: the two normalisations differ for tiny vectors alone") {
  Device device = Device::open("cpu", 1);
  ParameterStore store(device);
  const auto length = [&](const char* kind, float factor) {
    const Head head({.normalize = kind}, Scope(store), 2);
    Tensor map = small_map();
    for (float& v : map.data<float>()) v *= factor;
    const Tensor y = head(Tape::infer(device)->input(map)).embedding.value();
    return std::hypot(y.data<float>()[0], y.data<float>()[1]);
  };
  CHECK(length("none", 1) == doctest::Approx(std::sqrt(10.0)));
  CHECK(length("maximum", 1) == doctest::Approx(1));
  CHECK(length("added", 1) == doctest::Approx(1));
  CHECK(length("maximum", 1e-7F) == doctest::Approx(1));
  const double tiny = 1e-7 * std::sqrt(10.0);
  CHECK(length("added", 1e-7F) == doctest::Approx(tiny / std::sqrt(tiny * tiny + 1e-12)));
}

TEST_CASE("head: embedding layers begin as asked, and unknown rules are refused") {
  const Device device = Device::open("cpu", 1);
  const auto begin = [&](const char* rule) {
    ParameterStore store(device);
    const Head head({.dim = 512, .init = rule, .name = "last_linear"}, Scope(store), 256);
    CHECK(head.dim() == 512);
    double sum = 0;
    const Tensor weight = store.find("last_linear.weight")->value;
    for (const float v : weight.data<float>())
      sum += static_cast<double>(v) * static_cast<double>(v);
    return std::pair{std::sqrt(sum / static_cast<double>(weight.size())),
                     store.find("last_linear.bias")->value.data<float>()[0]};
  };
  CHECK(begin("uniform").first == doctest::Approx(1 / std::sqrt(3.0 * 256)).epsilon(0.01));
  CHECK(std::abs(begin("uniform").second) <= 1.F / 16);
  CHECK(begin("he").first == doctest::Approx(std::sqrt(2.0 / 512)).epsilon(0.01));
  CHECK(begin("he").second == 0);
  // A normal distribution cut at two deviations has 0.8796 of its deviation.
  CHECK(begin("truncated").first == doctest::Approx(0.08796).epsilon(0.01));
  CHECK(begin("truncated").second == 0.1F);
  CHECK(begin("small").first == doctest::Approx(0.0008796).epsilon(0.01));
  CHECK_THROWS_WITH_AS(read<HeadOptions>({{"pooling", "average"}}), doctest::Contains("avg"),
                       UsageError);
}

TEST_CASE("head: the bias of the neck does not train") {
  Device device = Device::open("cpu", 1);
  ParameterStore store(device);
  const Head head({.dim = 3, .neck = true}, Scope(store), 2);
  const auto tape = Tape::train(device);
  const Var neck = head(tape->input(fill_stream("map", {5, 2, 2, 2}, 1))).neck;
  const std::pair<Var, Tensor> output{neck, fill_stream("probe", neck.shape(), 1)};
  tape->backward(std::span(&output, 1));
  CHECK(store.find("bottleneck.weight")->grad.defined());
  CHECK_FALSE(store.find("bottleneck.bias")->grad.defined());
  CHECK(store.find("embedding.weight")->grad.defined());
}

TEST_CASE("model: features, embedding and inner stages have their widths") {
  Device device = Device::open("cpu", 2);
  ParameterStore store(device);
  Model model = Model::make("resnet18", {{"last_layer", "layer2"}}, {.dim = 16}, Scope(store));
  CHECK(model.width() == 128);
  CHECK(model.dim() == 16);
  const auto tape = Tape::infer(device);
  const Var images = tape->input(to_channels_last(fill_stream("input", {2, 3, 32, 32}, 2)));
  const Outputs outputs = model(images);
  CHECK(outputs.features.shape() == Shape{2, 128});
  CHECK(outputs.embedding.shape() == Shape{2, 16});
  CHECK_FALSE(outputs.neck.defined());
  CHECK(model.stage_features(images, "layer1").shape() == Shape{2, 64});
}

}  // namespace
}  // namespace dml::testing
