#include "dml/optimizer.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "dml/clip.hpp"
#include "dml/optimizers/radam.hpp"
#include "dml/schedule.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

Parameter& add(ParameterStore& store, const std::string& name, std::vector<float> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  Parameter& p = store.add(name, {n}, init::zeros());
  p.value = Tensor::of<float>({n}, values);
  return p;
}

void set_gradient(Parameter& p, float value) {
  p.grad = Tensor(p.value.shape(), DType::f32);
  for (float& g : p.grad.data<float>()) g = value;
}

TEST_CASE("optimizers: first step by hand") {
  Device device(Backend::cpu, 1);
  const std::map<std::string, double> moved{
      // name, what is taken off 1 with gradient 0.5, rate 0.1, no decay
      {"sgd", 0.1 * 0.5},          {"adam", 0.1},  // m / sqrt(v) is 1 after correction
      {"adamw", 0.1 + 0.1 * 0.01},                 // decoupled decay of 0.01 by default
      {"radam", 0.1 * 0.5},                        // a step of plain momentum
      {"radam_torch", 0.1 * 0.5},  {"rmsprop", 0.1 / std::sqrt(0.01)}};
  for (const auto& [name, distance] : moved) {
    const std::string called = name;  // clang 14 captures no part of a binding
    CAPTURE(called);
    ParameterStore store(device);
    Parameter& p = add(store, "p", {1, 1, 1});
    set_gradient(p, 0.5F);
    const auto optimizer = Registry<Optimizer>::make(name, {{"lr", "0.1"}}, {store});
    CHECK(optimizer->lr() == 0.1);
    optimizer->step(device, 1);
    for (const float value : p.value.data<float>())
      CHECK(static_cast<double>(value) == doctest::Approx(1 - distance).epsilon(1e-5));
  }
}

TEST_CASE("optimizers: every one finds the minimum of a bowl") {
  for (const std::string& name : Registry<Optimizer>::names()) {
    CAPTURE(name);
    for (const char* backend : {"reference", "cpu"}) {
      Device device = Device::open(backend, 2);
      ParameterStore store(device);
      Parameter& p = add(store, "p", {3, -2, 1});
      const auto optimizer =
          Registry<Optimizer>::make(name, {{"lr", "0.05"}, {"weight_decay", "0"}}, {store});
      for (int t = 0; t < 800; ++t) {
        p.grad = p.value.clone();
        optimizer->step(device, t < 700 ? 1 : 0.05);
      }
      for (const float value : p.value.data<float>()) CHECK(std::abs(value) < 0.02F);
    }
  }
}

TEST_CASE("optimizers: parameters without gradient, frozen ones and buffers stay as they are") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  Parameter& idle = add(store, "idle", {1});
  Parameter& frozen = add(store, "frozen", {1});
  Parameter& active = add(store, "active", {1});
  frozen.trainable = false;
  set_gradient(frozen, 1);
  set_gradient(active, 1);
  const auto optimizer =
      Registry<Optimizer>::make("radam", {{"weight_decay", "0.5"}, {"lr", "0.1"}}, {store});
  optimizer->step(device, 1);
  CHECK(idle.value.item() == 1);
  CHECK(frozen.value.item() == 1);
  CHECK(active.value.item() < 1);
  const auto state = optimizer->state();
  CHECK(state.size() == 3);
  CHECK(state.at("active.steps").item() == 1);
  CHECK(state.count("idle.steps") == 0);
}

TEST_CASE("optimizers: rates and decays of groups and of single parameters") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  Parameter& plain = add(store, "plain", {1});
  Parameter& scaled = add(store, "scaled", {1});
  Parameter& grouped = add(store, "grouped", {1});
  scaled.lr_scale = 100;
  scaled.decay_scale = 0;
  grouped.group = "proxies";
  for (Parameter& p : store.all()) set_gradient(p, 0.001F);
  const auto optimizer =
      Registry<Optimizer>::make("sgd", {{"lr", "0.1"}, {"momentum", "0"}, {"weight_decay", "0.01"}},
                                {store, {{"proxies", {{"lr", "2"}, {"weight_decay", "0.5"}}}}});
  optimizer->step(device, 0.5);
  CHECK(plain.value.item() == doctest::Approx(1 - 0.05 * (0.001 + 0.01)).epsilon(1e-6));
  CHECK(scaled.value.item() == doctest::Approx(1 - 5 * 0.001).epsilon(1e-6));
  CHECK(grouped.value.item() == doctest::Approx(1 - 1 * (0.001 + 0.5)).epsilon(1e-6));
  CHECK_THROWS_AS(Registry<Optimizer>::make("sgd", {}, {store, {{"proxies", {{"lrr", "2"}}}}}),
                  UsageError);
}

/// Gradients that differ in every step and element.
void draw_gradients(ParameterStore& store, std::uint64_t step) {
  std::uint64_t index = 0;
  for (Parameter& p : store.all()) {
    const Random random(1, Purpose::mine, step, index++);
    p.grad = Tensor(p.value.shape(), DType::f32);
    for (std::int64_t i = 0; i < p.grad.size(); ++i)
      p.grad.raw<float>()[i] = random.uniform_float(static_cast<std::uint64_t>(i)) - 0.5F;
  }
}

TEST_CASE("optimizers: state saved and restored goes on bit for bit, with any number of threads") {
  for (const std::string& name : Registry<Optimizer>::names()) {
    CAPTURE(name);
    const auto fill = [](ParameterStore& store) {
      store.add("a", {40000}, init::normal(1));
      store.add("b", {7}, init::normal(1));
    };
    Device one(Backend::cpu, 1), four(Backend::cpu, 4);
    ParameterStore through(one), resumed(four);
    fill(through);
    fill(resumed);
    const Settings settings{{"lr", "0.01"}, {"weight_decay", "0.1"}};
    const auto first = Registry<Optimizer>::make(name, settings, {through});
    for (std::uint64_t t = 0; t < 4; ++t) {
      draw_gradients(through, t);
      first->step(one, 1);
    }
    std::map<std::string, Tensor> saved;
    for (const auto& [key, tensor] : first->state()) saved[key] = tensor.clone();
    for (std::size_t i = 0; i < 2; ++i) resumed.all()[i].value = through.all()[i].value.clone();
    const auto second = Registry<Optimizer>::make(name, settings, {resumed});
    second->restore(saved);
    for (std::uint64_t t = 4; t < 9; ++t) {
      draw_gradients(through, t);
      draw_gradients(resumed, t);
      first->step(one, 0.5);
      second->step(four, 0.5);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const auto a = through.all()[i].value.data<float>(), b = resumed.all()[i].value.data<float>();
      CHECK(std::equal(a.begin(), a.end(), b.begin()));
    }
    // Steps after restore must not have written into what was restored from.
    CHECK(saved.at("a.steps").item() == 4);
    const auto again = Registry<Optimizer>::make(name, settings, {resumed});
    again->restore(saved);
    for (const auto& [key, tensor] : again->state()) {
      const Tensor a = tensor.to(DType::f64), b = saved.at(key).to(DType::f64);
      CHECK(std::equal(a.data<double>().begin(), a.data<double>().end(), b.data<double>().begin()));
    }
  }
}

TEST_CASE("optimizers: state of another model or optimizer is refused") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  add(store, "p", {1, 2});
  const auto optimizer = Registry<Optimizer>::make("sgd", {}, {store});
  const Tensor good = Tensor({2}, DType::f32);
  CHECK_NOTHROW(optimizer->restore({{"p.momentum_buffer", good}}));
  CHECK_THROWS_WITH_AS(optimizer->restore({{"q.momentum_buffer", good}}),
                       doctest::Contains("belongs to no parameter"), FormatError);
  CHECK_THROWS_WITH_AS(optimizer->restore({{"p.exp_avg", good}}),
                       doctest::Contains("another optimizer"), FormatError);
  CHECK_THROWS_AS(optimizer->restore({{"p.momentum_buffer", Tensor({3}, DType::f32)}}),
                  FormatError);
}

TEST_CASE("radam: published step sizes") {
  // Step size / rate at beta = (0.9, 0.999).
  const std::map<std::int64_t, double> published{
      {1, 10},         {2, 5.2632},      {3, 3.6900},     {4, 2.9078},      {5, 2.4419},
      {6, 0.00426328}, {10, 0.00750596}, {60, 0.0396318}, {1000, 0.513147}, {10000, 0.999751}};
  for (const auto& [t, size] : published) {
    CHECK(radam_size(0.9, 0.999, t).factor == doctest::Approx(size).epsilon(1e-4));
    CHECK(radam_size(0.9, 0.999, t).rectified == (t >= 6));
  }
}

TEST_CASE("clip: the norm over all gradients, and what it leaves alone") {
  Device device(Backend::cpu, 2);
  ParameterStore store(device);
  Parameter& a = add(store, "a", {0, 0});
  Parameter& b = add(store, "b", {0});
  add(store, "idle", {0});
  a.grad = Tensor::of<float>({2}, {3, 0});
  b.grad = Tensor::of<float>({1}, {-4});
  CHECK(clip_gradient_norm(device, store, 10).item() == doctest::Approx(5));
  CHECK(a.grad.data<float>()[0] == 3);
  CHECK(clip_gradient_norm(device, store, 1).item() == doctest::Approx(5));
  CHECK(a.grad.data<float>()[0] == doctest::Approx(0.6));
  CHECK(b.grad.data<float>()[0] == doctest::Approx(-0.8));
  CHECK(clip_gradient_norm(device, store, 1, 1).item() == doctest::Approx(1.4));
  clip_gradient_value(device, store, 0.1);
  CHECK(b.grad.data<float>()[0] == doctest::Approx(-0.1));
  store.clear_gradients();
  CHECK_FALSE(clip_gradient_norm(device, store, 1).defined());
}

TEST_CASE("schedules: constant, step, group_loss") {
  const auto constant = Registry<Schedule>::make("constant", {}, {});
  CHECK(constant->rate({.epoch = 99}, 1) == 1);
  const auto step = Registry<Schedule>::make("step", {{"every", "3"}, {"factor", "0.5"}}, {});
  CHECK(step->rate({.epoch = 2}, 1) == 1);
  CHECK(step->rate({.epoch = 3}, 1) == 0.5);
  CHECK(step->rate({.epoch = 6}, 1) == 0.25);
  const auto group = Registry<Schedule>::make("group_loss", {}, {.epochs = 70});
  // Epochs 31 and 51 counted from 1; a tenth of the first rate behind both.
  CHECK(group->rate({.epoch = 29}, 1) == 1);
  CHECK(group->rate({.epoch = 30}, 1) == 0.1);
  CHECK(group->rate({.epoch = 50}, 1) == 0.1);
  CHECK(group->rate({.epoch = 69}, 1) == 0.1);
  for (std::int64_t epoch = 0; epoch < 70; ++epoch)
    CHECK(group->before_epoch(epoch).reload_best == (epoch == 30 || epoch == 50));
}

}  // namespace
}  // namespace dml
