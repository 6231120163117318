#include <doctest/doctest.h>

#include "dml/loss.hpp"
#include "dml/miner.hpp"
#include "engine/device.hpp"

namespace dml {
namespace {

constexpr std::int64_t dim = 8, classes = 6, images = 12;

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Tensor x = Tensor::empty(shape, DType::f32);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

TEST_CASE("host reads: looking at what a kernel wrote is counted, on the processor too") {
  const Device device(Backend::cpu, 1);
  const Tensor given = Tensor::of<float>({1}, {1.0F});
  std::int64_t before = device.host_reads();
  CHECK(given.item() == 1);
  CHECK(device.upload(given).data<float>()[0] == 1);
  CHECK(device.host_reads() == before);
  const Tensor computed = device.zeros({1}, DType::f32);
  before = device.host_reads();
  CHECK(computed.item() == 0);
  CHECK(device.host_reads() == ++before);
  CHECK(computed.data<float>()[0] == 0);
  CHECK(device.host_reads() == ++before);
  static_cast<void>(computed.to_host());
  CHECK(device.host_reads() == ++before);
  static_cast<void>(computed.reshape({}).to(DType::f64));
  CHECK(device.host_reads() > before);
}

/// The devices that a step is tried on: the processor, and a GPU where there is one.
std::vector<Device> devices() {
  std::vector<Device> all;
  all.emplace_back(Backend::cpu, 1);
  if (backend_state(Backend::cuda).present) all.push_back(Device::open("cuda"));
  return all;
}

const std::vector<std::int64_t> labels_of_batch{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5};

TEST_CASE("host reads: a step of a loss makes none") {
  for (Device& device : devices()) {
    for (const std::string& name : Registry<Loss>::names()) {
      CAPTURE(name);
      ParameterStore store(device);
      const auto loss = Registry<Loss>::make(name, {},
                                             {.scope = Scope(store) / "loss",
                                              .dim = dim,
                                              .features = dim,
                                              .classes = classes,
                                              .epochs = 2,
                                              .images = images});
      const Labels labels(labels_of_batch, classes);
      for (std::int64_t step = 0; step < 2; ++step) {
        const auto tape = Tape::train(device);
        const Var x = tape->variable(device.upload(normal({images, dim}, 1)));
        const Var features = tape->variable(device.upload(normal({images, dim}, 2)));
        const bool two_views = name == "self_supervised" || name == "vicreg";
        const Var view =
            two_views ? tape->variable(device.upload(normal({images, dim}, 3))) : Var{};
        const std::int64_t before = device.host_reads();
        tape->backward((*loss)({.embedding = x,
                                .features = features,
                                .neck = x,
                                .labels = labels,
                                .reference = view,
                                .reference_labels = two_views ? &labels : nullptr,
                                .step = step}));
        CHECK(device.host_reads() == before);
      }
    }
  }
}

TEST_CASE("host reads: a step of a miner makes none") {
  for (Device& device : devices()) {
    for (const std::string& name : Registry<Miner>::names()) {
      CAPTURE(name);
      const auto miner = Registry<Miner>::make(name, {}, {});
      const Labels labels(labels_of_batch, classes);
      const Tensor x = device.upload(normal({images, dim}, 1));
      const std::int64_t before = device.host_reads();
      static_cast<void>((*miner)(device, {.embedding = x, .labels = labels}));
      CHECK(device.host_reads() == before);
    }
  }
}

}  // namespace
}  // namespace dml
