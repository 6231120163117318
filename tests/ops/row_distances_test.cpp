#include "ops/arithmetic.hpp"
#include "ops/euclidean.hpp"
#include "ops/minkowski.hpp"
#include "ops/relu.hpp"
#include "ops/self_product.hpp"
#include "ops/slice.hpp"
#include "ops/unit_rows.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

const AddCase unit{{"unit_rows [4,300]", {{4, 300}}, [](auto& x) { return unit_rows(x[0]); }}};
const AddCase unit1{{"unit_rows p=1", {{3, 7}}, [](auto& x) { return unit_rows(x[0], 1); }}};
const AddCase unit3{{"unit_rows p=3", {{3, 7}}, [](auto& x) { return unit_rows(x[0], 3); }}};
const AddCase below{
    {"unit_rows below eps", {{2, 3}}, [](auto& x) { return unit_rows(x[0], 2, 100); }}};

const AddCase product{
    {"self_product [37,20]", {{37, 20}}, [](auto& x) { return self_product(x[0]); }}};

// Several blocks, the last one not full, and more coordinates than one run of sums. A sum of n
// products of normal numbers is about sqrt(n), and n roundings add up to eps n.
constexpr double eps = 6e-8;
const AddCase product_blocks{{.name = "self_product [150,21]",
                              .inputs = {{150, 21}},
                              .run = [](auto& x) { return self_product(x[0]); },
                              .atol = 300 * eps}};  // its gradient sums 2 x 150
const AddCase product_runs{{.name = "self_product [66,530]",
                            .inputs = {{66, 530}},
                            .run = [](auto& x) { return self_product(x[0]); },
                            .atol = 530 * eps}};

/// Rows 1 and 3 of the first input so near to others that the differences are used.
void make_near(std::vector<Tensor>& x) {
  const std::int64_t d = x[0].dim(1);
  Tensor& other = x.back();
  double* a = x[0].raw<double>();
  const double* b = other.raw<double>();
  for (std::int64_t k = 0; k < d; ++k) {
    a[d + k] = b[k] + 1e-2 * static_cast<double>(k % 3);
    a[3 * d + k] = b[2 * d + k] + 2e-2 * static_cast<double>(k % 2);
  }
}

const AddCase both{
    {"euclidean [5,8] [70,8]", {{5, 8}, {70, 8}}, [](auto& x) { return euclidean(x[0], x[1]); }}};
const AddCase near{{.name = "euclidean of near rows",
                    .inputs = {{5, 8}, {6, 8}},
                    .run = [](auto& x) { return euclidean(x[0], x[1]); },
                    .rtol = 1e-4,  // an f32 difference of near rows has lost three digits itself
                    .prepare = make_near}};
const AddCase squared{
    {"euclidean squared", {{4, 9}, {3, 9}}, [](auto& x) { return euclidean(x[0], x[1], 2); }}};
const AddCase cubed{
    {"euclidean power 3", {{4, 9}, {3, 9}}, [](auto& x) { return euclidean(x[0], x[1], 3); }}};
const AddCase within{
    {"euclidean [70,9] of itself", {{70, 9}}, [](auto& x) { return euclidean(x[0]); }}};
const AddCase within_near{{.name = "euclidean of itself, near rows",
                           .inputs = {{5, 8}},
                           .run = [](auto& x) { return euclidean(x[0]); },
                           .rtol = 1e-4,  // as above
                           .prepare = make_near}};
// Few entries have a gradient: the cpu kernel adds up their differences.
const AddCase within_few{{"euclidean of itself, few nearer than 1",
                          {{40, 8}},
                          [](auto& x) { return relu(1.0 - euclidean(x[0])); },
                          1e-5,
                          1e-6,
                          make_near}};
const AddCase within_one_sided{
    {"euclidean of itself, pairs in one direction", {{40, 8}}, [](auto& x) {
       return slice(slice(euclidean(x[0]), 0, 1, 4), 1, 2, 6);
     }}};
const AddCase within_squared{
    {"euclidean squared of itself", {{5, 8}}, [](auto& x) { return euclidean(x[0], 2); }}};

const AddCase manhattan{
    {"minkowski p=1", {{4, 9}, {3, 9}}, [](auto& x) { return minkowski(x[0], x[1], 1); }}};
const AddCase third{
    {"minkowski p=3", {{4, 9}, {3, 9}}, [](auto& x) { return minkowski(x[0], x[1], 3); }}};

}  // namespace
}  // namespace dml::testing
