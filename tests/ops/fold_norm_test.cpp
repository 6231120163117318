#include "ops/fold_norm.hpp"

#include <cmath>

#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

/// The folded weights and biases; folding happens at test time and has no gradient.
Var folded(const std::vector<Var>& x, bool bias) {
  const FoldedNorm norm =
      fold_norm(x[0].device(), x[0].device().dense(x[0].value()),
                bias ? x[0].device().dense(x[1].value()) : Tensor(),
                x[0].device().dense(x[2].value()), x[0].device().dense(x[3].value()),
                x[0].device().dense(x[4].value()), x[0].device().dense(x[5].value()), 1e-3);
  return x[0].constant_like(bias ? norm.bias : norm.weight);
}

void positive_variance(std::vector<Tensor>& all) {
  for (double& value : all[5].data<double>()) value = std::abs(value) + 0.1;
}

const std::vector<Shape> shapes{{5, 3, 3, 2}, {5}, {5}, {5}, {5}, {5}};
const AddCase weights{{"fold_norm: weights", shapes, [](auto& x) { return folded(x, false); }, 1e-5,
                       1e-6, positive_variance, false}};
const AddCase biases{{"fold_norm: biases", shapes, [](auto& x) { return folded(x, true); }, 1e-5,
                      1e-6, positive_variance, false}};

}  // namespace
}  // namespace dml::testing
