#include "ops/concat_channels.hpp"

#include <doctest/doctest.h>

#include <array>

#include "ops/pool2d.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const AddCase maps{{.name = "concat_channels maps",
                    .inputs = {{2, 2, 2, 3}, {2, 2, 2, 1}, {2, 2, 2, 4}},
                    .run = [](auto& v) { return concat_channels(v); }}};
const AddCase rows{{.name = "concat_channels [n, c]",
                    .inputs = {{3, 5}, {3, 2}},
                    .run = [](auto& v) { return concat_channels(v); }}};
const AddCase direct{{.name = "concat_channels into a buffer",
                      .inputs = {{2, 4, 4, 3}, {2, 2, 2, 2}},
                      .run = [](auto& v) {
                        ChannelBuffer buffer(v[0].device(), {2, 2, 2, 5}, v[0].dtype());
                        const Var pooled = avg_pool2d(v[0], {}, buffer.next(3));
                        return concat_channels(std::array{pooled, v[1]}, buffer);
                      }}};

TEST_CASE("concat_channels: slices written in place are not copied, other parts are") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::train(device);
  ChannelBuffer buffer(device, {2, 5}, DType::f32);
  const Tensor first = buffer.next(2);
  for (std::int64_t r = 0; r < 2; ++r)
    for (std::int64_t c = 0; c < 2; ++c) first.raw<float>()[r * first.pitch() + c] = 7;
  const Var a = tape->variable(first),
            b = tape->variable(Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Var y = concat_channels(std::array{a, b}, buffer);
  CHECK(y.value().shares_memory(first));
  const float want[] = {7, 7, 1, 2, 3, 7, 7, 4, 5, 6};
  for (std::size_t i = 0; i < 10; ++i) CHECK(y.value().data<float>()[i] == want[i]);

  const Tensor dy = Tensor::of<float>({2, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  const std::pair<Var, Tensor> output{y, dy};
  tape->backward(std::span(&output, 1));
  CHECK(tape->gradient(b).shares_memory(dy));
  CHECK(tape->gradient(b).dense().data<float>()[3] == 7);
}

TEST_CASE("concat_channels: parts that do not fit are refused") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const auto zeros = [&](Shape shape) { return tape->input(Tensor(std::move(shape), DType::f32)); };
  ChannelBuffer buffer(device, {2, 5}, DType::f32);
  CHECK_THROWS_AS(buffer.next(6), ShapeError);
  CHECK_THROWS_AS(concat_channels(std::array{zeros({2, 2}), zeros({2, 2})}, buffer), ShapeError);
  CHECK_THROWS_AS(concat_channels(std::array{zeros({2, 2}), zeros({3, 2})}), ShapeError);
  CHECK_THROWS_AS(concat_channels(std::array{zeros({2, 2}), zeros({2, 2, 2})}), ShapeError);
}

}  // namespace
}  // namespace dml::testing
