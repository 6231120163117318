#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "engine/convert.hpp"
#include "engine/kernel.hpp"
#include "ops/add.hpp"
#include "ops/batch_norm.hpp"
#include "ops/cast.hpp"
#include "ops/concat_channels.hpp"
#include "ops/conv2d.hpp"
#include "ops/matmul.hpp"
#include "ops/pool2d.hpp"
#include "ops/relu.hpp"

// The ops of a net in bf16: from inputs that bf16 holds, every backend must give what the reference
// backend gives in f32 from the same numbers, but for the roundings of what it stores.
namespace dml::testing {
namespace {

struct Case {
  std::string name;
  std::vector<Shape> inputs;
  std::size_t maps;  // the first so many inputs are bf16, the others (weights) f32
  std::function<Var(const std::vector<Var>&)> run;
  int roundings = 1;     // of an element of the result or of a gradient on its way
  bool widened = false;  // goes through copies in f32 on the cpu backend
};

Var normed(const std::vector<Var>& v, const BatchNormOptions& options) {
  const Device& device = v[0].device();
  const std::int64_t channels = v[0].dim(-1);
  Tensor mean({channels}, DType::f32), variance({channels}, DType::f32);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean.data<float>()[static_cast<std::size_t>(c)] = 0.1F * static_cast<float>(c % 5);
    variance.data<float>()[static_cast<std::size_t>(c)] = 0.5F + 0.25F * static_cast<float>(c % 3);
  }
  RunningStatistics running{device.upload(mean), device.upload(variance), {}};
  const bool add = v.size() > 3;
  return batch_norm(v[0], v[add ? 2 : 1], v[add ? 3 : 2], running, options, add ? v[1] : Var{});
}

Case convolution(const std::string& name, Shape x, Shape weight, Conv2dOptions options) {
  const std::int64_t k = weight[0];
  return {.name = "conv2d " + name,
          .inputs = {std::move(x), std::move(weight), {k}},
          .maps = 1,
          .run = [=](auto& v) { return conv2d(v[0], v[1], v[2], options); }};
}

std::vector<Case> cases() {
  const Pool2dOptions stem{.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}};
  const Pool2dOptions same{.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}};
  return {
      convolution("3x3", {2, 6, 7, 16}, {24, 3, 3, 16}, {.pad = {1, 1}}),
      convolution("3x3 stride 2", {2, 7, 6, 16}, {16, 3, 3, 16}, {.stride = {2, 2}, .pad = {1, 1}}),
      convolution("1x1", {3, 5, 5, 32}, {48, 1, 1, 32}, {}),
      convolution("1x1 stride 2", {2, 6, 6, 16}, {32, 1, 1, 16}, {.stride = {2, 2}}),
      convolution("7x7 of colours", {1, 18, 18, 3}, {16, 7, 7, 3},
                  {.stride = {2, 2}, .pad = {3, 3}}),
      convolution("odd channels", {1, 5, 5, 5}, {7, 3, 3, 5}, {.pad = {1, 1}}),
      convolution("dilation 2", {1, 8, 8, 8}, {8, 3, 3, 8}, {.pad = {2, 2}, .dilation = {2, 2}}),
      convolution("2 groups", {1, 5, 5, 8}, {8, 3, 3, 4}, {.pad = {1, 1}, .groups = 2}),
      {.name = "batch_norm",
       .inputs = {{3, 4, 5, 20}, {20}, {20}},
       .maps = 1,
       .run = [](auto& v) { return normed(v, {}); }},
      {.name = "batch_norm, addend and ReLU, many rows",
       .inputs = {{4, 9, 9, 70}, {4, 9, 9, 70}, {70}, {70}},
       .maps = 2,
       .run = [](auto& v) { return normed(v, {.relu = true}); }},
      {.name = "batch_norm by running statistics",
       .inputs = {{2, 3, 3, 9}, {9}, {9}},
       .maps = 1,
       .run = [](auto& v) { return normed(v, {.batch_statistics = false, .relu = true}); }},
      {.name = "max_pool2d",
       .inputs = {{2, 7, 8, 70}},
       .maps = 1,
       .run = [=](auto& v) { return max_pool2d(v[0], stem); }},
      {.name = "avg_pool2d",
       .inputs = {{2, 7, 6, 70}},
       .maps = 1,
       .run = [=](auto& v) { return avg_pool2d(v[0], same); }},
      {.name = "a map read twice, and joined channels",
       .inputs = {{2, 6, 5, 12}},
       .maps = 1,
       .run =
           [=](auto& v) {
             ChannelBuffer joined(v[0].device(), {2, 6, 5, 24}, v[0].dtype());
             const std::array parts{max_pool2d(v[0], same, joined.next(12)),
                                    avg_pool2d(v[0], same, joined.next(12))};
             return concat_channels(parts, joined);
           },
       .roundings = 3},
      {.name = "linear",
       .inputs = {{9, 33}, {17, 33}, {17}},
       .maps = 1,
       .run = [](auto& v) { return linear(v[0], v[1], v[2]); },
       .roundings = 2,    // the product, and with its bias
       .widened = true},  // the bias
      {.name = "matmul",
       .inputs = {{2, 3, 5, 8}, {2, 3, 7, 8}},
       .maps = 2,
       .run = [](auto& v) { return matmul(v[0], v[1], {.b = true}); }},
      {.name = "cast",
       .inputs = {{5, 40}},
       .maps = 1,
       .run = [](auto& v) { return cast(cast(v[0], DType::f32), v[0].dtype()); }},
      {.name = "relu",
       .inputs = {{2, 3, 3, 5}},
       .maps = 1,
       .run = [](auto& v) { return relu(v[0]); },
       .widened = true},
      {.name = "adaptive_avg_pool2d",
       .inputs = {{2, 5, 4, 3}},
       .maps = 1,
       .run = [](auto& v) { return adaptive_avg_pool2d(v[0], 2, 2); },
       .widened = true},
  };
}

/// Numbers around zero that bf16 holds, as f32.
Tensor numbers(const Shape& shape, std::uint64_t index) {
  Tensor values(shape, DType::f32);
  const Random random(11, Purpose::weights, 0, index);
  for (std::size_t i = 0; i < values.data<float>().size(); ++i)
    values.data<float>()[i] = static_cast<float>(random.normal(i));
  return values.to(DType::bf16).to(DType::f32);
}

/// The same, moved so little that rounding to bf16 brings them back.
Tensor between(Tensor values) {
  for (float& value : values.data<float>()) value *= 1.0005F;
  return values;
}

struct Result {
  Tensor value;
  std::vector<Tensor> gradients;
  DType type;  // of the value
};

Result run(const Case& one, Device& device, DType type) {
  const auto tape = Tape::train(device);
  std::vector<Var> v;
  for (std::size_t i = 0; i < one.inputs.size(); ++i)
    v.push_back(tape->variable(
        device.upload(numbers(one.inputs[i], i).to(i < one.maps ? type : DType::f32))));
  const Var y = one.run(v);
  Result result{device.dense(y.value()).to_host().to(DType::f32), {}, y.dtype()};
  const std::pair<Var, Tensor> output{y, device.upload(numbers(y.shape(), 99).to(y.dtype()))};
  tape->backward(std::span(&output, 1));
  for (std::size_t i = 0; i < v.size(); ++i) {
    const Tensor gradient = tape->gradient(v[i]);
    REQUIRE(gradient.defined());
    CHECK(gradient.dtype() == (i < one.maps ? type : DType::f32));
    result.gradients.push_back(device.dense(gradient).to_host().to(DType::f32));
  }
  return result;
}

/// The largest difference, in halves of the last place of bf16 at the wanted element; sums may be
/// off by a part of the largest element beside that.
void compare(const Tensor& got, const Tensor& want, int roundings) {
  REQUIRE(got.shape() == want.shape());
  const auto a = got.data<float>(), b = want.data<float>();
  float most = 0;
  for (const float value : b) most = std::max(most, std::abs(value));
  CHECK(most > 0);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float allowed = static_cast<float>(roundings) * std::abs(b[i]) / 256 +
                          (roundings > 1 ? most / 256 : most * 1e-5F);
    if (!(std::abs(a[i] - b[i]) <= allowed)) ++wrong;
  }
  CHECK(wrong == 0);
}

std::int64_t widened_calls() {
  std::int64_t calls = 0;
  for (const KernelBase* kernel : KernelBase::all()) calls += kernel->widened();
  return calls;
}

}  // namespace

TEST_CASE("bf16: the ops of a net round what they store and nothing else") {
  Device exact(Backend::reference);
  for (const Case& one : cases()) {
    CAPTURE(one.name);
    const Result want = run(one, exact, DType::f32);
    for (const Backend backend : present_backends()) {
      CAPTURE(name_of(backend));
      Device device(backend, 2);
      const std::int64_t before = widened_calls();
      const Result got = run(one, device, DType::bf16);
      if (backend == Backend::cpu || (backend == Backend::cuda && !one.widened))
        CHECK((widened_calls() > before) == one.widened);
      CHECK(got.type == DType::bf16);
      compare(got.value, want.value, one.roundings);
      for (std::size_t i = 0; i < want.gradients.size(); ++i) {
        CAPTURE(i);
        // A gradient in f32 has not been rounded, but for cuDNN's of weights.
        const bool rounded = i < one.maps || backend == Backend::cuda;
        compare(got.gradients[i], want.gradients[i], rounded ? one.roundings : 0);
      }
    }
  }
}

TEST_CASE("bf16: products of f32 are rounded before they are multiplied, and nothing else") {
  struct Product {
    std::string name;
    std::vector<Shape> inputs;
    std::function<Var(const std::vector<Var>&, DType)> run;
  };
  const std::vector<Product> products{
      {"linear",
       {{9, 33}, {17, 33}, {17}},
       [](auto& v, DType t) { return linear(v[0], v[1], v[2], t); }},
      {"linear of more dimensions",
       {{2, 4, 8}, {5, 8}},
       [](auto& v, DType t) { return linear(v[0], v[1], {}, t); }},
      {"matmul nn", {{6, 20}, {20, 7}}, [](auto& v, DType t) { return matmul(v[0], v[1], {}, t); }},
      {"matmul tt",
       {{20, 6}, {7, 20}},
       [](auto& v, DType t) {
         return matmul(v[0], v[1], {true, true}, t);
       }},
      {"matmul of stacks",
       {{2, 3, 5, 8}, {2, 3, 7, 8}},
       [](auto& v, DType t) { return matmul(v[0], v[1], {.b = true}, t); }},
      {"matmul of one column",
       {{5, 1}, {1, 3}},
       [](auto& v, DType t) { return matmul(v[0], v[1], {}, t); }},
  };
  // What bf16 holds is multiplied exactly: so are the inputs and the gradient that is sent back.
  Device exact(Backend::reference);
  for (const Product& one : products) {
    CAPTURE(one.name);
    const auto results = [&](Device& device, DType type, bool held) {
      const auto tape = Tape::train(device);
      std::vector<Var> v;
      for (std::size_t i = 0; i < one.inputs.size(); ++i) {
        const Tensor values = numbers(one.inputs[i], i);
        const bool as_it_is = held || i == 2;  // a bias is not rounded
        v.push_back(tape->variable(device.upload(as_it_is ? values : between(values))));
      }
      const Var y = one.run(v, type);
      const Tensor sent = numbers(y.shape(), 99);
      const std::pair<Var, Tensor> output{y, device.upload(held ? sent : between(sent))};
      tape->backward(std::span(&output, 1));
      std::vector<Tensor> all{device.dense(y.value()).to_host()};
      for (const Var& x : v) all.push_back(device.dense(tape->gradient(x)).to_host());
      for (const Tensor& tensor : all) CHECK(tensor.dtype() == DType::f32);
      return all;
    };
    const auto want = results(exact, DType::f32, true);
    for (const Backend backend : present_backends()) {
      CAPTURE(name_of(backend));
      Device device(backend, 2);
      const std::int64_t before = widened_calls();
      const auto held = results(device, DType::bf16, true);
      if (backend != Backend::reference) CHECK(widened_calls() == before);
      const auto rounded = results(device, DType::bf16, false);
      for (std::size_t i = 0; i < want.size(); ++i) {
        CAPTURE(i);
        compare(held[i], want[i], 0);
        if (i < 3) compare(rounded[i], want[i], 0);  // the gradient of a bias is not a product
      }
    }
  }
}

TEST_CASE("bf16: a folded convolution with a shortcut and ReLU") {
  const Tensor x = numbers({2, 6, 6, 16}, 0), weight = numbers({32, 3, 3, 16}, 1);
  const Tensor bias = numbers({32}, 2), shortcut = numbers({2, 6, 6, 32}, 3);
  const auto result = [&](Device& device, DType type) {
    const auto there = [&](const Tensor& tensor, DType as) { return device.upload(tensor.to(as)); };
    const Tensor y = conv2d_inference(
        device, there(x, type), there(weight, DType::f32), {.pad = {1, 1}},
        {.bias = there(bias, DType::f32), .residual = there(shortcut, type), .relu = true});
    CHECK(y.dtype() == type);
    return y.to_host().to(DType::f32);
  };
  Device exact(Backend::reference);
  const Tensor want = result(exact, DType::f32);
  for (const Backend backend : present_backends()) {
    CAPTURE(name_of(backend));
    Device device(backend, 2);
    compare(result(device, DType::bf16), want, 1);
  }
}

TEST_CASE("bf16: conversion rounds to nearest even, keeps NaN, and honours a pitch") {
  const float big = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const Tensor values = Tensor::of<float>(
      {2, 4}, {1.0F, 1.00390625F, 1.01171875F, -1.0F / 3, big, -big, nan, 1e-40F});
  // 1 + 2^-8 lies between 1 and 1 + 2^-7: to the even 1. 1 + 3 * 2^-8 to the even 1 + 2^-6.
  const Tensor want =
      Tensor::of<float>({2, 4}, {1.0F, 1.0F, 1.015625F, -0.333984375F, big, -big, nan, 1e-40F});
  for (const Backend backend : present_backends()) {
    CAPTURE(name_of(backend));
    Device device(backend);
    const Tensor there = device.upload(values);
    const Tensor half = converted(device, there, DType::bf16);
    CHECK(half.dtype() == DType::bf16);
    const Tensor back = converted(device, half, DType::f32).to_host();
    for (std::size_t i = 0; i < 7; ++i) {
      CAPTURE(i);
      if (i == 6)
        CHECK(std::isnan(back.data<float>()[i]));
      else
        CHECK(back.data<float>()[i] == want.data<float>()[i]);
    }
    CHECK(std::abs(back.data<float>()[7] - 1e-40F) < 5e-41F);  // bf16 counts in 2^-133 there
    CHECK(converted(device, half, DType::bf16).shares_memory(half));
    // Columns 1 and 2 alone, into columns 0 and 1 of another.
    Tensor wide = device.zeros({2, 3}, DType::bf16);
    Tensor place = wide.channels(0, 2);
    convert(device, there.channels(1, 3), place);
    const Tensor seen = device.dense(converted(device, wide, DType::f32)).to_host();
    CHECK(seen.data<float>()[0] == 1.0F);
    CHECK(seen.data<float>()[1] == 1.015625F);
    CHECK(seen.data<float>()[2] == 0.0F);
    CHECK(seen.data<float>()[3] == -big);
    CHECK(std::isnan(seen.data<float>()[4]));
  }
}

TEST_CASE("bf16: conversion of more elements than a thread's share") {
  Device device(Backend::cpu, 2);
  const Tensor values = numbers({3, 11, 1021}, 5);
  const Tensor back = converted(device, converted(device, values, DType::bf16), DType::f32);
  for (std::size_t i = 0; i < values.data<float>().size(); ++i)
    if (back.raw<float>()[i] != values.raw<float>()[i]) FAIL("element " << i);
}

}  // namespace dml::testing
