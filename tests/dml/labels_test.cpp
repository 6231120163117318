#include "dml/labels.hpp"

#include <doctest/doctest.h>

#include "dml/group_loss/anchors.hpp"

namespace dml {
namespace {

std::vector<double> numbers(const Tensor& x) {
  const Tensor y = x.to(DType::f64);
  return {y.data<double>().begin(), y.data<double>().end()};
}

TEST_CASE("labels: classes, masks and pairs") {
  const Labels labels({2, 0, 2}, 4);
  CHECK(labels.size() == 3);
  CHECK(labels.classes() == 4);
  CHECK(labels.distinct() == 2);
  CHECK(labels.present() == std::vector<std::int64_t>{0, 2});
  CHECK(numbers(labels.tensor()) == std::vector<double>{2, 0, 2});
  CHECK(numbers(labels.same(DType::f32)) ==
        std::vector<double>{0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0});
  CHECK(numbers(labels.other(DType::f64)) ==
        std::vector<double>{1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1});
  CHECK(numbers(labels.positive_pairs(DType::f32)) ==
        std::vector<double>{0, 0, 1, 0, 0, 0, 1, 0, 0});
  CHECK(numbers(labels.negative_pairs(DType::f32)) ==
        std::vector<double>{0, 1, 0, 1, 0, 1, 0, 1, 0});
  CHECK_THROWS_WITH_AS(Labels({0, 4}, 4), doctest::Contains("label 4 is outside [0, 4)"),
                       ShapeError);
  CHECK_THROWS_AS(Labels({-1}, 4), ShapeError);
}

TEST_CASE("anchors: the first of each class in the whole batch") {
  using List = std::vector<std::int64_t>;
  const List labels{3, 1, 3, 3, 1, 2, 3, 1};
  CHECK(choose_anchors(labels, 2) == List{0, 1, 2, 4, 5});
  CHECK(choose_anchors(labels, 0).empty());
  CHECK(choose_anchors(labels, 9).size() == 8);
}

}  // namespace
}  // namespace dml
