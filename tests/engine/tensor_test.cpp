#include "engine/tensor.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/cpu/allocator.hpp"

namespace dml {
namespace {

TEST_CASE("tensor: a new tensor is zero and knows its shape") {
  const Tensor t({2, 3}, DType::f32);
  CHECK(t.size() == 6);
  CHECK(t.dim(-1) == 3);
  CHECK(t.packed());
  for (const float value : t.data<float>()) CHECK(value == 0);
}

TEST_CASE("tensor: copying shares memory, clone does not") {
  const Tensor t = Tensor::of<float>({2}, {1, 2});
  const Tensor shared = t;
  const Tensor copy = t.clone();
  t.data<float>()[0] = 9;
  CHECK(shared.data<float>()[0] == 9);
  CHECK(copy.data<float>()[0] == 1);
  CHECK_FALSE(t.unshared());
  CHECK(copy.unshared());
}

TEST_CASE("tensor: channels are a pitched view on the same memory") {
  Tensor t({2, 2, 4}, DType::f64);
  for (int i = 0; i < 16; ++i) t.data<double>()[static_cast<std::size_t>(i)] = i;
  const Tensor middle = t.channels(1, 3);
  CHECK(middle.shape() == Shape{2, 2, 2});
  CHECK(middle.pitch() == 4);
  CHECK_FALSE(middle.packed());
  CHECK_THROWS_AS(middle.data<double>(), ShapeError);
  const Tensor dense = middle.dense();
  const std::vector<double> want{1, 2, 5, 6, 9, 10, 13, 14};
  CHECK(std::equal(want.begin(), want.end(), dense.data<double>().begin()));
  CHECK(middle.rows(1, 2).channels(1, 2).dense().data<double>()[1] == 14);
  CHECK(middle.reshape({4, 2}).pitch() == 4);
  CHECK_THROWS_AS(middle.reshape({8}), ShapeError);
}

TEST_CASE("tensor: wrong element type and impossible shapes are errors") {
  const Tensor t({2}, DType::f32);
  CHECK_THROWS_AS(t.data<double>(), TypeError);
  CHECK_THROWS_AS(t.dim(1), ShapeError);
  CHECK_THROWS_AS(t.rows(1, 3), ShapeError);
  CHECK_THROWS_AS(Tensor({-1}, DType::f32), ShapeError);
  CHECK_THROWS_AS(Tensor::of<float>({3}, {1, 2}), ShapeError);
  CHECK_THROWS_AS(Tensor().data<float>(), ShapeError);
  CHECK_THROWS_AS(Tensor::empty({std::int64_t{1} << 50}, DType::f32), DeviceError);
}

TEST_CASE("tensor: bf16 rounds to nearest even and keeps NaN") {
  const Tensor t = Tensor::of<float>({4}, {1.0F, 1.00390625F, 1.01171875F, std::nanf("")});
  const Tensor back = t.to(DType::bf16).to(DType::f32);
  CHECK(back.data<float>()[0] == 1.0F);
  CHECK(back.data<float>()[1] == 1.0F);       // a tie goes to the even neighbour
  CHECK(back.data<float>()[2] == 1.015625F);  // and here that is upwards
  CHECK(std::isnan(back.data<float>()[3]));
}

TEST_CASE("tensor: no elements is legal") {
  const Tensor t({0, 5}, DType::f32);
  CHECK(t.data<float>().empty());
  CHECK(t.rows(0, 0).size() == 0);
  CHECK(t.clone().shape() == Shape{0, 5});
}

TEST_CASE("host allocator: freed blocks are used again, the peak does not grow") {
  const Shape shape{8 << 20};
  { const Tensor first = Tensor::empty(shape, DType::u8); }
  cpu::reset_peak();
  const std::size_t before = cpu::memory_use().current;
  for (int i = 0; i < 10; ++i) CHECK(Tensor::empty(shape, DType::u8).defined());
  CHECK(cpu::memory_use().peak <= before + (8 << 20) + 4096);
}

}  // namespace
}  // namespace dml
