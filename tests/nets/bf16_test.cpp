#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "engine/kernel.hpp"
#include "nets/model.hpp"
#include "tests/fill.hpp"

// Nets in bf16 beside f32: the same weights and images, one step. Rounding grows from layer to
// layer of a net with random weights (PyTorch's autocast moves the embedding of such a BN-Inception
// by a third), so values are compared at an early stage, and the whole net is asked for its types
// alone.
namespace dml::testing {
namespace {

struct Step {
  Tensor features;
  std::map<std::string, Tensor> gradients, buffers;
};

/// Up to a stage; with an empty name through the whole model.
Step step(const std::string& net, const std::string& stage, Device& device, DType type) {
  ParameterStore store(device);
  Model model = Model::make(net, {}, {.dim = 16}, Scope(store));
  model.train_in(type);
  const auto tape = Tape::train(device);
  const Var images = tape->input(to_channels_last(fill_stream("input", {6, 3, 64, 64}, 2)));
  const Var y = stage.empty() ? model(images).embedding : model.stage_features(images, stage);
  CHECK(y.dtype() == DType::f32);
  Step result{y.value().to_host().clone(), {}, {}};
  const std::pair<Var, Tensor> output{y, device.upload(fill_stream("probe", y.shape(), 1))};
  tape->backward(std::span(&output, 1));
  for (const Parameter& parameter : store.all()) {
    if (parameter.is_buffer) {
      if (parameter.value.dtype() == DType::f32)
        result.buffers[parameter.name] = parameter.value.to_host().clone();
    } else if (parameter.grad.defined()) {
      CHECK(parameter.grad.dtype() == DType::f32);
      CHECK(parameter.value.dtype() == DType::f32);
      result.gradients[parameter.name] = parameter.grad.to_host().clone();
    }
  }
  if (stage.empty())
    for (const Parameter& parameter : store.all())
      CHECK(parameter.grad.defined() == !parameter.is_buffer);
  return result;
}

/// Sums over all elements of two sets of tensors with the same names.
struct Sums {
  double aa = 0, ab = 0, bb = 0;

  void add(const Tensor& a, const Tensor& b) {
    REQUIRE(a.shape() == b.shape());
    for (std::size_t i = 0; i < b.data<float>().size(); ++i) {
      const auto x = static_cast<double>(a.data<float>()[i]);
      const auto y = static_cast<double>(b.data<float>()[i]);
      aa += x * x, ab += x * y, bb += y * y;
    }
  }
  void add(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
    REQUIRE(a.size() == b.size());
    for (const auto& [name, tensor] : b) add(a.at(name), tensor);
  }
  double distance() const { return std::sqrt(std::max(0.0, aa - 2 * ab + bb) / bb); }
  double cosine() const { return ab / std::sqrt(aa * bb); }
};

struct Early {
  std::string net, stage;
};
const std::vector<Early> early{
    {"resnet18", "layer1"}, {"bn_inception", "inception_3a"}, {"densenet121", "denseblock1"}};

TEST_CASE("bf16: values and gradients of the first layers are near those of f32") {
  for (const Early& one : early) {
    CAPTURE(one.net);
    Device plain = Device::open("cpu", 2);
    const Step want = step(one.net, one.stage, plain, DType::f32);
    CHECK(want.gradients.size() > 10);
    for (const Backend backend : present_backends()) {
      if (backend == Backend::reference) continue;  // minutes; its ops are compared one by one
      CAPTURE(name_of(backend));
      Device device = Device::open(name_of(backend), 2);
      const Step got = step(one.net, one.stage, device, DType::bf16);
      Sums features, gradients, buffers;
      features.add(got.features, want.features);
      gradients.add(got.gradients, want.gradients);
      buffers.add(got.buffers, want.buffers);
      CHECK(features.distance() > 1e-5);  // it is another arithmetic
      CHECK(features.distance() < 0.01);
      CHECK(buffers.distance() < 0.01);
      CHECK(gradients.cosine() > 0.97);
    }
  }
}

TEST_CASE("bf16: a step of each family of nets has no kernel without bf16 of its own") {
  const auto widened = [] {
    std::map<std::string, std::int64_t> calls;
    for (const KernelBase* kernel : KernelBase::all()) calls[kernel->name()] += kernel->widened();
    return calls;
  };
  for (const Early& one : early) {
    CAPTURE(one.net);
    for (const Backend backend : present_backends()) {
      if (backend == Backend::reference) continue;  // has none at all
      CAPTURE(name_of(backend));
      Device device = Device::open(name_of(backend), 2);
      const auto before = widened();
      const Step got = step(one.net, "", device, DType::bf16);
      for (const auto& now : widened())
        CHECK_MESSAGE(now.second == before.at(now.first), now.first);
      for (const float value : got.features.data<float>()) CHECK(std::isfinite(value));
    }
  }
}

TEST_CASE("bf16: inference of a model that trains in it stays in f32, bit for bit") {
  Device device = Device::open("cpu", 2);
  ParameterStore store(device);
  Model model = Model::make("resnet18", {{"last_layer", "layer2"}}, {.dim = 16}, Scope(store));
  const Tensor images = to_channels_last(fill_stream("input", {2, 3, 32, 32}, 2));
  const Tensor before = model(Tape::infer(device)->input(images)).embedding.value().clone();
  model.train_in(DType::bf16);
  const Tensor after = model(Tape::infer(device)->input(images)).embedding.value().clone();
  CHECK(std::ranges::equal(before.data<float>(), after.data<float>()));
}

}  // namespace
}  // namespace dml::testing
