#include <doctest/doctest.h>

#include <cmath>

#include "ops/cosine.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/distance.hpp"
#include "ops/divergence.hpp"
#include "ops/dropout.hpp"
#include "ops/gru.hpp"
#include "ops/layer_norm.hpp"
#include "ops/softmax.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const Shape rows{7, 33}, other{5, 33}, one_row{1, 6}, one_column{6, 1}, none{0, 6};

Tensor labels(std::int64_t n, std::int64_t classes) {
  Tensor all = Tensor::empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) all.raw<std::int64_t>()[i] = i * 5 % classes;
  return all;
}

// The squares and cosines of 33 terms; gradients of distances near 8 lose three bits.
constexpr double rtol = 1e-5, atol = 3e-6;

const AddCase squared{{"squared_distance",
                       {rows, other},
                       [](auto& x) { return squared_distance(x[0], x[1]); },
                       rtol,
                       1e-5}};
const AddCase squared_column{{"squared_distance [6,1]", {one_column, {4, 1}}, [](auto& x) {
                                return squared_distance(x[0], x[1]);
                              }}};
const AddCase squared_none{{"squared_distance [0,6]", {none, one_row}, [](auto& x) {
                              return squared_distance(x[0], x[1]);
                            }}};
const AddCase distances{
    {"distance", {rows, other}, [](auto& x) { return distance(x[0], x[1]); }, rtol, atol}};
const AddCase products{{"distance_by_product",
                        {rows, other},
                        [](auto& x) { return distance_by_product(x[0], x[1]); },
                        rtol,
                        1e-5}};
const AddCase pairs{
    {"pairwise_distance", {rows, rows}, [](auto& x) { return pairwise_distance(x[0], x[1]); }}};
const AddCase cosines{{"cosine", {rows, other}, [](auto& x) { return cosine(x[0], x[1]); }}};
const AddCase similar{
    {"cosine_similarity", {rows, rows}, [](auto& x) { return cosine_similarity(x[0], x[1]); }}};
const AddCase correlations{{"pearson", {rows}, [](auto& x) { return pearson(x[0]); }}};

const AddCase norm_plain{
    {"layer_norm", {rows}, [](auto& x) { return layer_norm(x[0], {}, {}); }, rtol, atol}};
const AddCase norm_affine{{"layer_norm with weight",
                           {{2, 3, 5}, {3, 5}, {3, 5}},
                           [](auto& x) { return layer_norm(x[0], x[1], x[2]); },
                           rtol,
                           atol}};
const AddCase norm_row{
    {"layer_norm [1,6]", {one_row}, [](auto& x) { return layer_norm(x[0], {}, {}); }, rtol, atol}};
const AddCase norm_none{
    {"layer_norm [0,6]", {none}, [](auto& x) { return layer_norm(x[0], {}, {}); }}};

const AddCase entropy{
    {"cross_entropy", {rows}, [](auto& x) { return cross_entropy(x[0], labels(7, 33)); }}};
const AddCase entropy_rows{
    {"cross_entropy none", {rows}, [](auto& x) {
       return cross_entropy(x[0], labels(7, 33), {.reduction = Reduction::none, .temperature = 3});
     }}};
/// Weights of 0.5, 1, 1.5, 0.5, ..
Tensor class_weights(std::int64_t classes, DType type) {
  Tensor all = Tensor::empty({classes}, DType::f64);
  for (std::int64_t i = 0; i < classes; ++i)
    all.raw<double>()[i] = 0.5 * static_cast<double>(1 + i % 3);
  return all.to(type);
}

const AddCase entropy_all{{"cross_entropy smoothed, weighted, ignoring", {rows}, [](auto& x) {
                             CrossEntropyOptions options{.label_smoothing = 0.2, .ignore_index = 5};
                             options.class_weight = class_weights(33, x[0].dtype());
                             return cross_entropy(x[0], labels(7, 33), options);
                           }}};
const AddCase entropy_one{{"cross_entropy one class", {one_column}, [](auto& x) {
                             return cross_entropy(x[0], labels(6, 1),
                                                  {.reduction = Reduction::sum});
                           }}};
const AddCase entropy_none{{"cross_entropy no rows", {none}, [](auto& x) {
                              return cross_entropy(x[0], labels(0, 6),
                                                   {.reduction = Reduction::sum});
                            }}};
const AddCase entropy_soft{{"cross_entropy_soft", {rows, rows}, [](auto& x) {
                              return cross_entropy_soft(x[0], softmax(x[1]));
                            }}};
const AddCase nll_case{{"nll", {rows}, [](auto& x) { return nll(softmax(x[0]), labels(7, 33)); }}};
const AddCase kl{{"kl_divergence", {rows, rows}, [](auto& x) {
                    return kl_divergence(log_softmax(x[0]), softmax(x[1]));
                  }}};
const AddCase bce{{"binary_cross_entropy", {rows, rows}, [](auto& x) {
                     return binary_cross_entropy(x[0], sigmoid(x[1]));
                   }}};

const AddCase dropout_case{{.name = "dropout",
                            .inputs = {rows},
                            .run = [](auto& x) { return dropout(x[0], 0.3); },
                            .same_in_inference = false}};
const AddCase dropout_long{{.name = "dropout [1,20011]",
                            .inputs = {{1, 20011}},
                            .run = [](auto& x) { return dropout(x[0], 0.5); },
                            .same_in_inference = false}};

const std::vector<Shape> gru_shapes{{4, 3, 5}, {3, 6}, {18, 5}, {18, 6}, {18}, {18}};
const AddCase gru_case{{"gru", gru_shapes,
                        [](auto& x) {
                          return gru(x[0], x[1], {x[2], x[3], x[4], x[5]}).output;
                        },
                        rtol, atol}};
const AddCase gru_both{{"bidirectional_gru",
                        {{2, 3, 5}, {2, 3, 6}, {18, 5}, {18, 6}, {18}, {18}},
                        [](auto& x) {
                          const GruWeights w{x[2], x[3], x[4], x[5]};
                          return bidirectional_gru(x[0], x[1], w, w).output;
                        },
                        rtol,
                        atol}};

TEST_CASE("dropout: keeps the share 1 - p, scales it, and is the identity at test time") {
  Device device(Backend::cpu, 2);
  auto tape = Tape::train(device);
  Tensor ones({40000}, DType::f32);
  for (float& value : ones.data<float>()) value = 1;
  const Var y = dropout(tape->input(ones), 0.25);
  std::int64_t kept = 0;
  for (const float value : y.value().data<float>()) {
    kept += value != 0 ? 1 : 0;
    CHECK((value == 0 || value == 1 / 0.75F));
  }
  CHECK(static_cast<double>(kept) / 40000 == doctest::Approx(0.75).epsilon(0.02));
  // A second layer of the same step draws another mask; another tape draws the same one.
  const Var z = dropout(tape->input(ones), 0.25);
  CHECK(!std::equal(z.value().data<float>().begin(), z.value().data<float>().end(),
                    y.value().data<float>().begin()));
  auto again = Tape::train(device);
  const Var same = dropout(again->input(ones), 0.25);
  CHECK(std::equal(same.value().data<float>().begin(), same.value().data<float>().end(),
                   y.value().data<float>().begin()));
  CHECK_THROWS_AS(dropout(y, 1), UsageError);
}

TEST_CASE("cross_entropy: ignored rows, labels out of range, no rows that count") {
  Device device(Backend::reference);
  auto tape = Tape::train(device);
  const Var x = tape->variable(Tensor::of<double>({2, 2}, {0, 0, 5, 1}));
  const Tensor one = Tensor::of<std::int64_t>({2}, {1, -100});
  CHECK(cross_entropy(x, one).value().item() == doctest::Approx(std::log(2.0)));
  const Tensor wrong = Tensor::of<std::int64_t>({2}, {1, 2});
  CHECK_THROWS_WITH_AS(cross_entropy(x, wrong), doctest::Contains("label 2 in row 1"), ShapeError);
  const Tensor nothing = Tensor::of<std::int64_t>({2}, {-100, -100});
  CHECK(std::isnan(cross_entropy(x, nothing).value().item()));
  CHECK_THROWS_AS(cross_entropy(x, Tensor({3}, DType::i64)), ShapeError);
}

TEST_CASE("distance: equal rows are at distance 0 with gradient 0") {
  Device device(Backend::reference);
  auto tape = Tape::train(device);
  const Var x = tape->variable(Tensor::of<double>({2, 2}, {3, 4, 3, 4}));
  tape->backward(sum(distance(x, x)));
  for (const double value : tape->gradient(x).data<double>()) CHECK(value == 0);
}

}  // namespace
}  // namespace dml::testing
