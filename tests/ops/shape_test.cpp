#include <doctest/doctest.h>

#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "ops/permute.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/where.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

Tensor places(Shape shape, std::int64_t below) {
  Tensor index = Tensor::empty(std::move(shape), DType::i64);
  for (std::int64_t i = 0; i < index.size(); ++i) index.raw<std::int64_t>()[i] = i * i % below;
  return index;
}

Tensor every_third(Shape shape) {
  Tensor mask(std::move(shape), DType::u8);
  for (std::int64_t i = 0; i < mask.size(); i += 3) mask.raw<std::uint8_t>()[i] = 1;
  return mask;
}

const Shape cube{3, 4, 5}, matrix{6, 33}, none{0, 4};

const AddCase gather_first{{"gather axis 0", {matrix}, [](auto& x) {
                              return gather(x[0], 0, places({4, 33}, 6));
                            }}};
const AddCase gather_last{{"gather axis -1", {cube}, [](auto& x) {
                             return gather(x[0], -1, places({3, 4, 7}, 5));
                           }}};
const AddCase gather_none{{"gather nothing", {matrix}, [](auto& x) {
                             return gather(x[0], 0, places({0, 33}, 6));
                           }}};
const AddCase scatter{{"scatter_add axis 1", {cube, {3, 6, 5}}, [](auto& x) {
                         return scatter_add(x[0], 1, places({3, 6, 5}, 4), x[1]);
                       }}};
const AddCase select_rows{
    {"index_select rows", {matrix}, [](auto& x) { return index_select(x[0], 0, places({9}, 6)); }}};
const AddCase select_middle{
    {"index_select axis 1", {cube}, [](auto& x) { return index_select(x[0], 1, places({2}, 4)); }}};
const AddCase add_rows{{"index_add rows", {matrix, {9, 33}}, [](auto& x) {
                          return index_add(x[0], 0, places({9}, 6), x[1]);
                        }}};
const AddCase boolean{{"boolean_select", {matrix}, [](auto& x) {
                         return boolean_select(x[0], every_third({6, 33}));
                       }}};
const AddCase fill{{"masked_fill", {matrix}, [](auto& x) {
                      return masked_fill(x[0], every_third({6, 33}), -1.5);
                    }}};
const AddCase where_case{{"where", {matrix, matrix}, [](auto& x) {
                            return where(every_third({6, 33}), x[0], x[1]);
                          }}};
const AddCase where_none{{"where [0,4]", {none, none}, [](auto& x) {
                            return where(every_third({0, 4}), x[0], x[1]);
                          }}};

const AddCase slice_steps{
    {"slice ::3", {matrix}, [](auto& x) { return slice(x[0], 1, 0, 33, 3); }}};
const AddCase slice_rows{{"slice rows", {cube}, [](auto& x) { return slice(x[0], 0, 1, 3); }}};
const AddCase slice_end{
    {"slice from the end", {cube}, [](auto& x) { return slice(x[0], 2, -2, 5); }}};
const AddCase slice_empty{
    {"slice of nothing", {cube}, [](auto& x) { return slice(x[0], 1, 2, 2); }}};
const AddCase concat_last{
    {"concat axis -1", {{3, 4}, {3, 1}, {3, 33}}, [](auto& x) { return concat(x, -1); }}};
const AddCase concat_first{
    {"concat axis 0", {{2, 5}, {0, 5}, {7, 5}}, [](auto& x) { return concat(x, 0); }}};
const AddCase concat_middle{
    {"concat axis 1", {{3, 2, 5}, cube}, [](auto& x) { return concat(x, 1); }}};
const AddCase stack_case{{"stack", {matrix, matrix}, [](auto& x) { return stack(x, 1); }}};
const AddCase split_case{{"split", {matrix}, [](auto& x) {
                            const auto parts = split(x[0], 1, 3);
                            return parts[0] * parts[2];
                          }}};
const AddCase reshape_case{{"reshape", {cube}, [](auto& x) { return reshape(x[0], {2, -1}); }}};
const AddCase transpose_case{{"transpose", {matrix}, [](auto& x) { return transpose(x[0]); }}};
const AddCase permute_case{{"permute 4 axes", {{2, 3, 4, 5}}, [](auto& x) {
                              return permute(x[0], {3, 1, 0, 2});
                            }}};

TEST_CASE("gather: an index outside the axis is named") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor({2, 3}, DType::f32));
  const Tensor outside = Tensor::of<std::int64_t>({1}, {2});
  CHECK_THROWS_WITH_AS(index_select(x, 0, outside),
                       doctest::Contains("index 2 of an axis of length 2"), ShapeError);
  CHECK_THROWS_AS(gather(x, 0, Tensor({1, 2}, DType::i64)), ShapeError);
  CHECK_THROWS_AS(gather(x, 0, Tensor({1, 3}, DType::f32)), TypeError);
}

TEST_CASE("concat, permute, split: shapes that do not fit are refused") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor({2, 3}, DType::f32));
  const Var y = tape->input(Tensor({3, 3}, DType::f32));
  CHECK_THROWS_AS(concat({x, y}, 1), ShapeError);
  CHECK_THROWS_AS(concat({}, 0), ShapeError);
  CHECK_THROWS_AS(permute(x, {0, 0}), ShapeError);
  CHECK_THROWS_AS(split(x, 1, 2), ShapeError);
  CHECK_THROWS_AS(slice(x, 0, 0, 1, 0), UsageError);
  CHECK_THROWS_AS(x + y, ShapeError);
}

}  // namespace
}  // namespace dml::testing
