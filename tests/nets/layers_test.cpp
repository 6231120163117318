#include "nets/layers.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "nets/net.hpp"
#include "tests/fill.hpp"

namespace dml::testing {
namespace {

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double difference = 0, size = 0;
  const Tensor x = a.to(DType::f64), y = b.to(DType::f64);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double d = x.data<double>()[at] - y.data<double>()[at];
    difference += d * d;
    size += y.data<double>()[at] * y.data<double>()[at];
  }
  return std::sqrt(difference / size);
}

/// A tiny residual net of the layers: every way to use ConvNormRelu, and a slice as its place.
struct TinyNet {
  explicit TinyNet(const LayerScope& scope)
      : stem(scope, "conv1", "bn1", 3, 4, Window{.kernel = 3, .pad = 1}),
        inner(scope, "conv2", "bn2", 4, 4, Window{.kernel = 3, .stride = 2, .pad = 1}),
        project(scope, "conv3", "bn3", 4, 4, Window{.stride = 2}),
        last(scope, "conv4", "bn4", 4, 5, Window{}) {}

  Var operator()(const Var& images) const {
    const Var x = stem(images);
    const Var y = inner.add_relu(x, project.linear(x));
    Shape shape = last.shape(y.shape());
    shape.back() = 8;
    const Tensor whole = y.device().empty(shape, y.dtype());
    return last(y, whole.channels(2, 7));
  }

  ConvNormRelu stem, inner, project, last;
};

struct Setting {
  explicit Setting(const Device& device, DType type)
      : store(device, type),
        norms(std::make_shared<NormState>()),
        net({.scope = Scope(store),
             .norms = norms,
             .init = ConvInit::uniform,
             .conv_bias = true,
             .momentum = 0.25}) {
    fill_store(store);
  }
  ParameterStore store;
  std::shared_ptr<NormState> norms;
  TinyNet net;
};

Tensor pictures(DType type) {
  return to_channels_last(fill_stream("input", {2, 3, 6, 6}, 2)).to(type);
}

TEST_CASE("layers: folded batch norm gives what the single steps give") {
  for (const auto& [name, type, limit] :
       {std::tuple{"reference", DType::f64, 1e-13}, std::tuple{"cpu", DType::f32, 1e-6}}) {
    const std::string called = name;  // clang 14 captures no part of a binding
    CAPTURE(called);
    Device device = Device::open(name, 2);
    Setting setting(device, type);
    setting.norms->set(BatchNormMode::frozen_statistics);
    const Tensor apart = setting.net(Tape::train(device)->input(pictures(type))).value().dense();
    const Tensor folded = setting.net(Tape::infer(device)->input(pictures(type))).value().dense();
    CHECK(distance(folded, apart) < limit);
  }
}

TEST_CASE("layers: folded weights are kept while weights are held, and no longer") {
  Device device = Device::open("cpu", 1);
  Setting setting(device, DType::f32);
  const auto run = [&] {
    return setting.net(Tape::infer(device)->input(pictures(DType::f32))).value().dense();
  };
  const std::int64_t before = kernel::fold_norm.uses(Backend::cpu);
  const Tensor first = run();
  CHECK(kernel::fold_norm.uses(Backend::cpu) == before + 4);
  {
    const WeightHold hold(setting.norms);
    CHECK(distance(run(), first) == 0);
    CHECK(distance(run(), first) == 0);
    CHECK(kernel::fold_norm.uses(Backend::cpu) == before + 8);
    CHECK_THROWS_WITH(setting.net(Tape::train(device)->input(pictures(DType::f32))),
                      doctest::Contains("held"));
  }
  setting.store.find("bn1.weight")->value.data<float>()[0] += 1;
  const Tensor changed = run();
  CHECK(distance(changed, first) > 1e-3);
  const WeightHold hold(setting.norms);
  CHECK(distance(run(), changed) == 0);
}

TEST_CASE("batch norm: live moves the statistics, the frozen modes keep them") {
  Device device = Device::open("cpu", 1);
  for (const BatchNormMode mode :
       {BatchNormMode::live, BatchNormMode::frozen_statistics, BatchNormMode::frozen}) {
    CAPTURE(name_of(mode));
    CHECK(batch_norm_mode(name_of(mode)) == mode);
    Setting setting(device, DType::f32);
    setting.norms->set(mode);
    const Tensor mean = setting.store.find("bn1.running_mean")->value.clone();
    const Tensor variance = setting.store.find("bn1.running_var")->value.clone();
    const auto tape = Tape::train(device);
    const Var y = setting.net(tape->input(pictures(DType::f32)));
    const std::pair<Var, Tensor> output{y, fill_stream("probe", y.shape(), 1)};
    tape->backward(std::span(&output, 1));
    const bool live = mode == BatchNormMode::live;
    CHECK((distance(setting.store.find("bn1.running_mean")->value, mean) > 0) == live);
    CHECK((distance(setting.store.find("bn1.running_var")->value, variance) > 0) == live);
    CHECK(setting.store.find("bn1.num_batches_tracked")->value.data<std::int64_t>()[0] ==
          (live ? 1 : 0));
    CHECK(setting.store.find("bn1.weight")->grad.defined() == (mode != BatchNormMode::frozen));
    CHECK(setting.store.find("bn1.bias")->grad.defined() == (mode != BatchNormMode::frozen));
    CHECK(setting.store.find("conv1.weight")->grad.defined());
  }
  CHECK_THROWS_WITH_AS(batch_norm_mode("frosen"), doctest::Contains("did you mean 'frozen'"),
                       UsageError);
}

/// Sum of the output times a probe, of a fresh net whose parameter `name` is moved at one place.
double objective(Device& device, BatchNormMode mode, const std::string& name, std::size_t place,
                 double step) {
  Setting setting(device, DType::f64);
  setting.norms->set(mode);
  setting.store.find(name)->value.data<double>()[place] += step;
  const Tensor y = setting.net(Tape::train(device)->input(pictures(DType::f64))).value().dense();
  const Tensor probe = fill_stream("probe", y.shape(), 1).to(DType::f64);
  double sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(y.size()); ++i)
    sum += y.data<double>()[i] * probe.data<double>()[i];
  return sum;
}

TEST_CASE("layers: gradients of a tiny net are those of differences") {
  Device device = Device::open("reference", 1);
  for (const BatchNormMode mode : {BatchNormMode::live, BatchNormMode::frozen_statistics}) {
    CAPTURE(name_of(mode));
    Setting setting(device, DType::f64);
    setting.norms->set(mode);
    const auto tape = Tape::train(device);
    const Var y = setting.net(tape->input(pictures(DType::f64)));
    const std::pair<Var, Tensor> output{y, fill_stream("probe", y.shape(), 1).to(DType::f64)};
    tape->backward(std::span(&output, 1));
    for (const Parameter& parameter : setting.store.all()) {
      if (parameter.is_buffer) continue;
      CAPTURE(parameter.name);
      const auto place = static_cast<std::size_t>(parameter.value.size() / 2);
      constexpr double h = 1e-6;
      const double slope = (objective(device, mode, parameter.name, place, h) -
                            objective(device, mode, parameter.name, place, -h)) /
                           (2 * h);
      CHECK(parameter.grad.data<double>()[place] == doctest::Approx(slope).epsilon(1e-6).scale(1));
    }
  }
}

}  // namespace
}  // namespace dml::testing
