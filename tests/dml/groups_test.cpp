#include "dml/groups.hpp"

#include <doctest/doctest.h>

#include <cstring>

namespace dml {
namespace {

/// Parameters "a.weight", "b.weight" and "loss.proxies" of one element 1, and a buffer.
void fill(ParameterStore& store) {
  for (const char* name : {"a.weight", "b.weight", "loss.proxies"})
    store.add(name, {1}, init::constant(1));
  store.add_buffer("a.running_mean", {1}, init::constant(1));
}

void set_gradients(ParameterStore& store) {
  for (Parameter& parameter : store.all()) {
    parameter.grad = {};
    if (parameter.trainable && !parameter.is_buffer)
      parameter.grad = Tensor::of<float>({1}, {0.5F});
  }
}

float value(ParameterStore& store, const char* name) {
  return static_cast<float>(store.find(name)->value.item());
}

TEST_CASE("groups: own rate, own optimizer") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  fill(store);
  const std::vector<GroupSetup> setups = {
      {"heads", {.match = "loss.*"}, {{"lr", "0.01"}}},
      {"second", {.match = "b.*", .optimizer = "adam"}, {{"lr", "0.001"}}}};
  ParameterGroups groups(store, setups);
  const auto optimizer =
      make_optimizer("sgd", {{"lr", "0.1"}, {"momentum", "0"}}, store, groups.all());
  set_gradients(store);
  optimizer->step(device, 1);
  CHECK(value(store, "a.weight") == doctest::Approx(1 - 0.1 * 0.5));
  CHECK(value(store, "loss.proxies") == doctest::Approx(1 - 0.01 * 0.5));
  CHECK(value(store, "b.weight") == doctest::Approx(1 - 0.001));  // Adam's first step is its rate
  const auto state = optimizer->state();
  CHECK(state.count("b.weight.exp_avg_sq") == 1);
  CHECK(state.count("a.weight.momentum_buffer") == 1);
  CHECK(state.count("a.weight.exp_avg_sq") == 0);
}

TEST_CASE("groups: the state of several optimizers comes back, bit for bit") {
  Device device(Backend::cpu, 1);
  const std::vector<GroupSetup> setups = {{"g", {.match = "b.*,a.*", .optimizer = "radam"}, {}}};
  ParameterStore one(device), two(device);
  fill(one);
  fill(two);
  ParameterGroups first_groups(one, setups), second_groups(two, setups);
  const auto first = make_optimizer("adam", {}, one, setups);
  const auto second = make_optimizer("adam", {}, two, setups);
  for (int t = 0; t < 10; ++t) {
    set_gradients(one);
    first->step(device, 1);
  }
  second->restore(first->state());
  for (std::size_t i = 0; i < one.all().size(); ++i)
    two.all()[i].value = one.all()[i].value.clone();
  for (auto* each : {&one, &two}) set_gradients(*each);
  first->step(device, 1);
  second->step(device, 1);
  for (std::size_t i = 0; i < one.all().size(); ++i)
    CHECK(std::memcmp(one.all()[i].value.raw_bytes(), two.all()[i].value.raw_bytes(), 4) == 0);
  CHECK(second->state().at("a.weight.steps").item() == 11);
  auto foreign = first->state();
  foreign["nobody.exp_avg"] = Tensor::of<float>({1}, {1.F});
  CHECK_THROWS_AS(second->restore(foreign), FormatError);
}

TEST_CASE("groups: frozen epochs take gradients away and give them back") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  fill(store);
  store.find("b.weight")->trainable = false;  // a net's own decision stays
  ParameterGroups groups(
      store, {{"base", {.match = "?.weight", .frozen_epochs = 2, .freeze_from = 5}, {}}});
  const auto trained = [&](std::int64_t epoch) {
    groups.begin_epoch(epoch);
    CHECK_FALSE(store.find("b.weight")->trainable);
    CHECK(store.find("loss.proxies")->trainable);
    return store.find("a.weight")->trainable;
  };
  CHECK_FALSE(trained(0));
  CHECK_FALSE(trained(1));
  CHECK(trained(2));
  CHECK(trained(3));
  CHECK_FALSE(trained(4));
  CHECK_FALSE(trained(9));
}

TEST_CASE("groups: one without parameters is refused; one that a loss has named needs no pattern") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  fill(store);
  CHECK_THROWS_WITH_AS(ParameterGroups(store, {{"x", {.match = "layer9.*"}, {}}}),
                       doctest::Contains("group 'x' has no parameter: none matches layer9.*"),
                       UsageError);
  store.find("loss.proxies")->group = "proxies";
  const std::vector<GroupSetup> setups = {{"proxies", {}, {{"lr", "1"}}}};
  ParameterGroups groups(store, setups);
  const auto optimizer = make_optimizer("sgd", {{"lr", "0.1"}}, store, setups);
  set_gradients(store);
  optimizer->step(device, 0.5);
  CHECK(value(store, "loss.proxies") == doctest::Approx(1 - 0.25));
  CHECK_THROWS_AS(make_optimizer("sgd", {}, store, {{"p", {.optimizer = "sgdd"}, {}}}), UsageError);
}

}  // namespace
}  // namespace dml
