#include <doctest/doctest.h>

#include <cmath>

#include "ops/cosine.hpp"
#include "ops/divergence.hpp"
#include "ops/max_axis.hpp"
#include "ops/norm.hpp"
#include "ops/repeat.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "ops/topk.hpp"
#include "ops/variance.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

using Inputs = std::vector<Tensor>;

/// Distinct elements, at least 0.01 apart: no two are near a tie.
void distinct(Inputs& all) {
  for (Tensor& x : all)
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.raw<double>()[i] = 0.01 * static_cast<double>((i * 7919 + 5) % 10007);
}

const Shape cube{3, 4, 5}, matrix{5, 33}, row{1, 40}, column{40, 1}, none{0, 6}, tall{700, 3};

const AddCase sum_all{{"sum of all", {cube}, [](auto& x) { return sum(x[0]); }}};
const AddCase sum_none{{"sum of nothing", {none}, [](auto& x) { return sum(x[0]); }}};
const AddCase sum_first{{"sum axis 0", {cube}, [](auto& x) { return sum(x[0], 0); }}};
const AddCase sum_middle{{"sum axis 1 keep", {cube}, [](auto& x) { return sum(x[0], 1, true); }}};
const AddCase sum_last{{"sum axis -1", {matrix}, [](auto& x) { return sum(x[0], -1); }}};
const AddCase sum_tall{
    {"sum axis 0 [700,3]", {tall}, [](auto& x) { return sum(x[0], 0); }, 1e-4, 1e-5}};
const AddCase sum_side{{"sum axis 0 [5,33]", {matrix}, [](auto& x) { return sum(x[0], 0); }}};
const AddCase sum_empty{{"sum axis 0 [0,6]", {none}, [](auto& x) { return sum(x[0], 0); }}};
const AddCase sum_rows_of_none{{"sum axis 1 [0,6]", {none}, [](auto& x) { return sum(x[0], 1); }}};
const AddCase mean_case{{"mean axis 1", {cube}, [](auto& x) { return mean(x[0], 1); }}};
const AddCase mean_all{{"mean of all", {matrix}, [](auto& x) { return mean(x[0]); }}};
const AddCase variance_case{{"variance", {matrix}, [](auto& x) { return variance(x[0], 1); }}};
const AddCase biased{
    {"variance biased axis 0", {matrix}, [](auto& x) { return variance(x[0], 0, false); }}};
const AddCase deviation{
    {"standard_deviation", {cube}, [](auto& x) { return standard_deviation(x[0], 1); }}};
const AddCase norm_case{{"norm", {matrix}, [](auto& x) { return norm(x[0]); }}};
const AddCase l1_case{
    {"l1_normalize axis 0", {matrix}, [](auto& x) { return l1_normalize(x[0], 0); }}};

const AddCase repeat_case{{"repeat", {{3, 1, 5}}, [](auto& x) { return repeat(x[0], 1, 7); }}};
const AddCase broadcast{{"broadcast_to", {{3, 1}}, [](auto& x) {
                           return broadcast_to(x[0], {2, 3, 4});
                         }}};
const AddCase broadcast_number{{"broadcast_to of a number", {{}}, [](auto& x) {
                                  return broadcast_to(x[0], {3, 2});
                                }}};

const AddCase softmax_case{
    {"softmax [5,33]", {matrix}, [](auto& x) { return softmax(x[0], 2.0); }}};
const AddCase softmax_axis{
    {"softmax axis 1 of 3", {cube}, [](auto& x) { return softmax(x[0], 1, 1); }}};
const AddCase softmax_row{{"softmax [1,40]", {row}, [](auto& x) { return softmax(x[0]); }}};
const AddCase softmax_column{{"softmax [40,1]", {column}, [](auto& x) { return softmax(x[0]); }}};
const AddCase softmax_none{{"softmax [0,6]", {none}, [](auto& x) { return softmax(x[0]); }}};
const AddCase log_softmax_case{
    {"log_softmax [5,33]", {matrix}, [](auto& x) { return log_softmax(x[0], 0.5); }}};
const AddCase log_softmax_axis{
    {"log_softmax axis 0", {cube}, [](auto& x) { return log_softmax(x[0], 1, 0); }}};
const AddCase logsumexp_case{
    {"logsumexp [5,33]", {matrix}, [](auto& x) { return logsumexp(x[0]); }}};
const AddCase logsumexp_axis{
    {"logsumexp axis 0", {cube}, [](auto& x) { return logsumexp(x[0], 0, true); }}};

const AddCase max_case{
    {"max axis 1", {cube}, [](auto& x) { return max(x[0], 1).values; }, 1e-5, 1e-6, distinct}};
const AddCase min_case{
    {"min axis -1", {matrix}, [](auto& x) { return min(x[0], -1).values; }, 1e-5, 1e-6, distinct}};
const AddCase amax_case{
    {"amax axis 0", {matrix}, [](auto& x) { return amax(x[0], 0); }, 1e-5, 1e-6, distinct}};
const AddCase amin_case{
    {"amin axis -1 [1,40]", {row}, [](auto& x) { return amin(x[0], -1); }, 1e-5, 1e-6, distinct}};
const AddCase topk_case{
    {"topk 4 of 33", {matrix}, [](auto& x) { return topk(x[0], 4).values; }, 1e-5, 1e-6, distinct}};
const AddCase topk_axis{{"topk smallest axis 1",
                         {cube},
                         [](auto& x) { return topk(x[0], 2, 1, false).values; },
                         1e-5,
                         1e-6,
                         distinct}};
const AddCase topk_all{{"topk of all [1,40]",
                        {row},
                        [](auto& x) { return topk(x[0], 40).values; },
                        1e-5,
                        1e-6,
                        distinct}};

Var on_reference(const std::shared_ptr<Tape>& tape, const Shape& shape,
                 std::initializer_list<double> values) {
  return tape->variable(Tensor::of<double>(shape, values));
}

TEST_CASE("max: of equal elements the first alone gets the gradient, amax shares it") {
  Device device(Backend::reference);
  for (const bool shared : {false, true}) {
    auto tape = Tape::train(device);
    const Var x = on_reference(tape, {1, 4}, {3, 7, 7, 1});
    const Picked first = max(x, 1);
    CHECK(first.indices.data<std::int64_t>()[0] == 1);
    tape->backward(sum(shared ? amax(x, 1) : first.values));
    const auto gradient = tape->gradient(x).data<double>();
    CHECK(gradient[1] == (shared ? 0.5 : 1.0));
    CHECK(gradient[2] == (shared ? 0.5 : 0.0));
  }
}

TEST_CASE("max: NaN counts as largest, argmin finds the smallest") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var x = on_reference(tape, {1, 4}, {3, NAN, 7, -1});
  CHECK(argmax(x, 1).data<std::int64_t>()[0] == 1);
  const Var y = on_reference(tape, {1, 3}, {3, -2, -2});
  CHECK(argmin(y, 1).data<std::int64_t>()[0] == 1);
}

TEST_CASE("max: an empty axis is an error that names it") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  CHECK_THROWS_WITH_AS(max(tape->input(Tensor({3, 0}, DType::f32)), 1),
                       doctest::Contains("axis 1 of [3, 0] is empty"), ShapeError);
}

TEST_CASE("topk: equal elements come in the order of their places") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Picked best = topk(on_reference(tape, {1, 5}, {2, 9, 2, 9, 1}), 3);
  CHECK(best.indices.data<std::int64_t>()[0] == 1);
  CHECK(best.indices.data<std::int64_t>()[1] == 3);
  CHECK(best.indices.data<std::int64_t>()[2] == 0);
  CHECK_THROWS_AS(topk(best.values, 4), ShapeError);
}

TEST_CASE("softmax: large, equal and masked entries") {
  Device device(Backend::reference);
  auto tape = Tape::train(device);
  const double inf = HUGE_VAL;
  const Var x = on_reference(tape, {2, 2}, {1e300, 1e300, -inf, 5});
  const Var p = softmax(x);
  CHECK(p.value().data<double>()[0] == 0.5);
  CHECK(p.value().data<double>()[2] == 0);
  CHECK(p.value().data<double>()[3] == 1);
  CHECK(logsumexp(on_reference(tape, {1, 2}, {-inf, -inf})).value().item() == -inf);
  CHECK_THROWS_AS(softmax(x, 0), UsageError);
}

TEST_CASE("square_root and norm: the gradient at zero is zero") {
  Device device(Backend::reference);
  auto tape = Tape::train(device);
  const Var x = on_reference(tape, {1, 3}, {0, 0, 0});
  tape->backward(sum(norm(x)));
  for (const double value : tape->gradient(x).data<double>()) CHECK(value == 0);
}

TEST_CASE("pearson: a constant row gives NaN, opposite rows -1") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var w = pearson(on_reference(tape, {3, 3}, {1, 2, 3, 3, 2, 1, 4, 4, 4}));
  CHECK(w.value().data<double>()[1] == doctest::Approx(-1));
  CHECK(std::isnan(w.value().data<double>()[8]));
}

TEST_CASE("kl_divergence: targets of zero cost nothing") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var q = on_reference(tape, {1, 2}, {0, 1});
  CHECK(kl_divergence(on_reference(tape, {1, 2}, {-50, -2}), q).value().item() ==
        doctest::Approx(2));
}

TEST_CASE("broadcast_to: only axes of length 1 are repeated") {
  Device device(Backend::reference);
  auto tape = Tape::infer(device);
  const Var x = on_reference(tape, {2}, {1, 2});
  CHECK_THROWS_WITH_AS(broadcast_to(x, {2, 3}), doctest::Contains("[2] to [2, 3]"), ShapeError);
  CHECK_THROWS_AS(sum(x, 1), ShapeError);
}

}  // namespace
}  // namespace dml::testing
