#include "nets/net.hpp"

#include <doctest/doctest.h>

#include <set>

#include "tests/fill.hpp"

namespace dml::testing {
namespace {

struct Size {
  const char* name;
  std::int64_t width, parameters, keys;  // of the trunk, without classifier
};

// Sizes of the trunks: parameters as published; keys with two for the classifier taken off.
const std::vector<Size> sizes{
    {"resnet18", 512, 11176512, 120},      {"resnet34", 512, 21284672, 216},
    {"resnet50", 2048, 23508032, 318},     {"resnet101", 2048, 42500160, 624},
    {"resnet152", 2048, 58143808, 930},    {"densenet121", 1024, 6953856, 725},
    {"densenet169", 1664, 12484480, 1013}, {"densenet161", 2208, 26472000, 965},
    {"densenet201", 1920, 18092928, 1205}, {"bn_inception", 1024, 10270240, 483}};

TEST_CASE("nets: parameters, keys and widths are the published ones") {
  const Device device = Device::open("cpu", 1);
  for (const Size& size : sizes) {
    CAPTURE(size.name);
    ParameterStore store(device);
    const auto net = Registry<Net>::make(size.name, {}, {Scope(store)});
    CHECK(store.parameter_count() == size.parameters);
    CHECK(static_cast<std::int64_t>(store.all().size()) == size.keys);
    CHECK(net->width() == size.width);
    CHECK(net->stages().back().name == "features_map");
  }
}

TEST_CASE("nets: the map has the shape of the stage, and stages agree with one another") {
  Device device = Device::open("cpu", 2);
  for (const char* name : {"resnet18", "resnet50", "bn_inception", "densenet121"}) {
    CAPTURE(name);
    ParameterStore store(device);
    const auto net = Registry<Net>::make(name, {}, {Scope(store)});
    const Tensor images = to_channels_last(fill_stream("input", {1, 3, 65, 97}, 2));
    std::vector<std::string> all;
    for (const Stage& stage : net->stages()) all.push_back(stage.name);
    const auto maps = net->maps(Tape::infer(device)->input(images), all);
    CHECK(maps.size() == all.size());
    for (const Stage& stage : net->stages()) {
      CAPTURE(stage.name);
      CHECK(maps.at(stage.name).dim(3) == stage.width);
      CHECK(net->width(stage.name) == stage.width);
    }
    const std::string middle = all[all.size() / 2];
    const Tensor alone = net->stage(Tape::infer(device)->input(images), middle).value().clone();
    const Tensor among = maps.at(middle).value().clone();
    float error = 0, most = 0;  // rounding alone: who asks for an inner map may get it unfolded
    for (std::size_t i = 0; i < static_cast<std::size_t>(alone.size()); ++i) {
      error = std::max(error, std::abs(alone.data<float>()[i] - among.data<float>()[i]));
      most = std::max(most, std::abs(alone.data<float>()[i]));
    }
    CHECK(error <= 1e-5F * most);
    CHECK(maps.at("features_map").shape() ==
          Shape{1, name[0] == 'r' ? 3 : 2, name[0] == 'r' ? 4 : 3, net->width()});
  }
}

TEST_CASE("nets: unknown stages, images of other shape and forbidden sizes are refused") {
  Device device = Device::open("cpu", 1);
  ParameterStore store(device);
  const auto net = Registry<Net>::make("BN-Inception", {}, {Scope(store)});
  const auto tape = Tape::infer(device);
  CHECK_THROWS_WITH_AS(net->stage(tape->input(Tensor({1, 64, 64, 3}, DType::f32)), "inception_4f"),
                       doctest::Contains("did you mean 'inception_4"), UsageError);
  CHECK_THROWS_AS((*net)(tape->input(Tensor({1, 3, 64, 64}, DType::f32))), ShapeError);
  CHECK_THROWS_WITH_AS((*net)(tape->input(Tensor({1, 64, 80, 3}, DType::f32))),
                       doctest::Contains("223 to 230"), ShapeError);
  std::set<std::int64_t> taken;
  for (std::int64_t n = 1; n <= 262; ++n) {
    try {
      net->check_input(n, 224);
      taken.insert(n);
    } catch (const ShapeError&) {
    }
  }
  CHECK(taken.size() == 7 * 8);
  CHECK(*taken.begin() == 63);
  for (const std::int64_t n : {70, 95, 102, 223, 224, 227, 230, 255, 256, 262})
    CHECK(taken.count(n) == 1);
  for (const std::int64_t n : {71, 94, 222, 231, 254}) CHECK(taken.count(n) == 0);
}

TEST_CASE("resnet: last stride 1 doubles the last map; last_layer cuts the net off") {
  Device device = Device::open("cpu", 2);
  const Tensor images = to_channels_last(fill_stream("input", {1, 3, 64, 64}, 2));
  ParameterStore wide(device), cut(device);
  const auto net = Registry<Net>::make("resnet18", {{"last_stride", "1"}}, {Scope(wide)});
  CHECK((*net)(Tape::infer(device)->input(images)).shape() == Shape{1, 4, 4, 512});
  const auto short_net = Registry<Net>::make("resnet18", {{"last_layer", "layer3"}}, {Scope(cut)});
  CHECK(short_net->width() == 256);
  CHECK(cut.find("layer4.0.conv1.weight") == nullptr);
  fill_store(wide);
  fill_store(cut);
  const Tensor a = net->stage(Tape::infer(device)->input(images), "layer3").value();
  const Tensor b = (*short_net)(Tape::infer(device)->input(images)).value();
  CHECK(std::ranges::equal(a.data<float>(), b.data<float>()));
}

TEST_CASE("nets: initialisation follows the published rules") {
  const Device device = Device::open("cpu", 1);
  const auto deviation = [](const Tensor& tensor) {
    double sum = 0;
    for (const float v : tensor.data<float>())
      sum += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(sum / static_cast<double>(tensor.size()));
  };
  ParameterStore a(device), b(device), c(device);
  Registry<Net>::make("resnet50", {}, {Scope(a)});
  CHECK(deviation(a.find("layer3.1.conv2.weight")->value) ==
        doctest::Approx(std::sqrt(2.0 / (256 * 9))).epsilon(0.01));
  Registry<Net>::make("densenet121", {}, {Scope(b)});
  CHECK(deviation(b.find("features.denseblock3.denselayer2.conv2.weight")->value) ==
        doctest::Approx(std::sqrt(2.0 / (128 * 9))).epsilon(0.01));
  Registry<Net>::make("bn_inception", {}, {Scope(c)});
  const Tensor weight = c.find("inception_4c_double_3x3_1.weight")->value;
  const double bound = 1 / std::sqrt(128.0 * 9);
  CHECK(deviation(weight) == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.01));
  for (const float v : weight.data<float>()) CHECK(std::abs(v) <= static_cast<float>(bound));
  CHECK(deviation(c.find("inception_4c_double_3x3_1.bias")->value) > 0);
  CHECK(deviation(c.find("inception_4c_3x3_bn.weight")->value) == 1);
  CHECK(deviation(c.find("inception_4c_3x3_bn.running_var")->value) == 1);
  CHECK(deviation(c.find("inception_4c_3x3_bn.running_mean")->value) == 0);
}

}  // namespace
}  // namespace dml::testing
