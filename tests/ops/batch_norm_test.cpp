#include "ops/batch_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

Var with(const std::vector<Var>& v, BatchNormOptions options, bool add) {
  RunningStatistics running;
  if (!options.batch_statistics) {
    const std::int64_t channels = v[0].dim(-1);
    Tensor mean({channels}, v[0].dtype()), variance({channels}, v[0].dtype());
    visit_float(v[0].dtype(), [&]<class T>() {
      for (std::int64_t c = 0; c < channels; ++c) {
        mean.raw<T>()[c] = T(0.1) * static_cast<T>(c % 5) - T(0.2);
        variance.raw<T>()[c] = T(0.5) + T(0.25) * static_cast<T>(c % 3);
      }
    });
    running = {v[0].device().upload(mean), v[0].device().upload(variance), {}};
  }
  const Var none;
  return batch_norm(v[0], v.size() > 1 ? v[1] : none, v.size() > 2 ? v[2] : none, running, options,
                    add ? v[3] : none);
}

const AddCase map{{.name = "batch_norm map",
                   .inputs = {{3, 5, 4, 6}, {6}, {6}},
                   .run = [](auto& v) { return with(v, {}, false); },
                   .rtol = 1e-4}};
const AddCase flat{{.name = "batch_norm [n, c], no bias",
                    .inputs = {{7, 5}, {5}},
                    .run = [](auto& v) { return with(v, {}, false); },
                    .rtol = 1e-4}};
const AddCase bare{{.name = "batch_norm without weight and bias",
                    .inputs = {{4, 2, 2, 3}},
                    .run = [](auto& v) { return with(v, {}, false); },
                    .rtol = 1e-4}};
const AddCase many{{.name = "batch_norm more channels than a strip, more rows than a run",
                    .inputs = {{41, 131}, {131}, {131}},
                    .run = [](auto& v) { return with(v, {}, false); },
                    .rtol = 1e-4,
                    .atol = 1e-5,
                    .gradient = false}};
const AddCase frozen{{.name = "batch_norm running statistics",
                      .inputs = {{2, 3, 3, 5}, {5}, {5}},
                      .run = [](auto& v) { return with(v, {.batch_statistics = false}, false); }}};

/// Shifts the result by less than its distance from zero at every element: ReLU stays off its kink.
void widen(std::vector<Tensor>& inputs) {
  visit_float(inputs[2].dtype(), [&]<class T>() {
    for (std::int64_t c = 0; c < inputs[2].size(); ++c) {
      inputs[1].raw<T>()[c] = T(0.05);
      inputs[2].raw<T>()[c] = c % 2 == 0 ? T(1) : T(-1);
    }
  });
  if (inputs.size() < 4) return;
  visit_float(inputs[3].dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < inputs[3].size(); ++i) inputs[3].raw<T>()[i] *= T(0.1);
  });
}
const AddCase relu{{.name = "batch_norm relu",
                    .inputs = {{3, 3, 2, 4}, {4}, {4}},
                    .run = [](auto& v) { return with(v, {.relu = true}, false); },
                    .rtol = 1e-4,
                    .prepare = widen}};
const AddCase add{{.name = "batch_norm add",
                   .inputs = {{2, 3, 3, 4}, {4}, {4}, {2, 3, 3, 4}},
                   .run = [](auto& v) { return with(v, {}, true); },
                   .rtol = 1e-4}};
const AddCase both{{.name = "batch_norm add relu",
                    .inputs = {{2, 3, 3, 4}, {4}, {4}, {2, 3, 3, 4}},
                    .run = [](auto& v) { return with(v, {.relu = true}, true); },
                    .rtol = 1e-4,
                    .prepare = widen}};
const AddCase frozen_relu{
    {.name = "batch_norm running statistics add relu",
     .inputs = {{2, 3, 3, 4}, {4}, {4}, {2, 3, 3, 4}},
     .run = [](auto& v) { return with(v, {.batch_statistics = false, .relu = true}, true); },
     .prepare = widen}};

Tensor wave(const Shape& shape, DType type, double offset = 0) {
  Tensor x(shape, type);
  visit_float(type, [&]<class T>() {
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.raw<T>()[i] = static_cast<T>(offset + std::sin(0.37 * static_cast<double>(i * i % 1013)));
  });
  return x;
}

TEST_CASE("batch_norm: running statistics move by the momentum, with the unbiased variance") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 1);
    const auto tape = Tape::train(device);
    RunningStatistics running{Tensor::of<float>({1}, {5}), Tensor::of<float>({1}, {2}),
                              Tensor({}, DType::i64)};
    const Var x = tape->input(Tensor::of<float>({4, 1}, {1, 2, 3, 6}));
    const Var y = batch_norm(x, {}, {}, running, {.eps = 0, .momentum = 0.25});
    CHECK(running.mean.item() == doctest::Approx(0.75 * 5 + 0.25 * 3));
    CHECK(running.variance.item() == doctest::Approx(0.75 * 2 + 0.25 * 14.0 / 3));
    CHECK(running.batches.item() == 1);
    CHECK(y.value().data<float>()[3] == doctest::Approx(3 / std::sqrt(3.5)));
  }
}

TEST_CASE("batch_norm: one value per channel has no variance") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::train(device);
  RunningStatistics running;
  CHECK_THROWS_AS(batch_norm(tape->input(Tensor({1, 4}, DType::f32)), {}, {}, running, {}),
                  ShapeError);
  CHECK_THROWS_AS(batch_norm(tape->input(Tensor({2, 4}, DType::f32)), {}, {}, running,
                             {.batch_statistics = false}),
                  ShapeError);
}

TEST_CASE("batch_norm: a mean ten thousand times the deviation keeps the variance") {
  Device reference(Backend::reference), fast(Backend::cpu, 2);
  const Tensor x = wave({300, 20}, DType::f32, 1e4);
  const auto variance = [&](Device& device, DType type) {
    const auto tape = Tape::train(device);
    RunningStatistics running{Tensor({20}, type), Tensor({20}, type), {}};
    batch_norm(tape->input(x.to(type)), {}, {}, running, {.momentum = 1});
    return running.variance.to(DType::f64);
  };
  const Tensor want = variance(reference, DType::f64), got = variance(fast, DType::f32);
  for (std::size_t c = 0; c < 20; ++c)
    CHECK(got.data<double>()[c] == doctest::Approx(want.data<double>()[c]).epsilon(1e-5));
}

TEST_CASE("batch_norm: the result goes into a channel slice, and its gradient comes from one") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    Device device(backend, 2);
    const auto run = [&](bool sliced) {
      const auto tape = Tape::train(device);
      const Var x = tape->variable(wave({5, 3, 3, 8}, DType::f32));
      RunningStatistics running;
      Tensor whole({5, 3, 3, 24}, DType::f32), up = wave({5, 3, 3, 24}, DType::f32, 0.2);
      const Var y = batch_norm(x, {}, {}, running, {.relu = true}, {},
                               sliced ? whole.channels(8, 16) : Tensor{});
      CHECK(y.value().packed() != sliced);
      const Tensor dy = up.channels(8, 16);
      const std::pair<Var, Tensor> output{y, sliced ? dy : dy.dense()};
      tape->backward(std::span(&output, 1));
      return std::pair{y.value().dense(), tape->gradient(x)};
    };
    const auto [y, dx] = run(false);
    const auto [slice, dslice] = run(true);
    for (std::size_t i = 0; i < y.data<float>().size(); ++i) {
      REQUIRE(y.data<float>()[i] == slice.data<float>()[i]);
      REQUIRE(dx.data<float>()[i] == dslice.data<float>()[i]);
    }
  }
}

TEST_CASE("batch_norm: the backward pass may work in place, and never on shared memory") {
  Device device(Backend::cpu, 2);
  const Tensor values = wave({16, 8}, DType::f32);
  const auto gradient = [&](bool shared) {
    const auto tape = Tape::train(device);
    const Var leaf = tape->variable(values);
    RunningStatistics running;
    // The inner result is the outer op's input; holding it keeps it from being overwritten.
    Var inner = batch_norm(leaf, {}, {}, running, {});
    const Var outer = batch_norm(inner, {}, {}, running, {.relu = true});
    const Tensor before = inner.value().clone(), held = shared ? inner.value() : Tensor{};
    inner = {};
    const std::pair<Var, Tensor> output{outer, wave({16, 8}, DType::f32, 0.5)};
    tape->backward(std::span(&output, 1));
    if (shared)
      for (std::size_t i = 0; i < 128; ++i)
        REQUIRE(held.data<float>()[i] == before.data<float>()[i]);
    return tape->gradient(leaf);
  };
  const Tensor a = gradient(false), b = gradient(true);
  for (std::size_t i = 0; i < 128; ++i) CHECK(a.data<float>()[i] == b.data<float>()[i]);
}

}  // namespace
}  // namespace dml::testing
