#include <cmath>

#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/exp.hpp"
#include "ops/leaky_relu.hpp"
#include "ops/log.hpp"
#include "ops/log_sigmoid.hpp"
#include "ops/maximum.hpp"
#include "ops/relu.hpp"
#include "ops/sigmoid.hpp"
#include "ops/softplus.hpp"
#include "ops/square_root.hpp"
#include "ops/tanh.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

using Inputs = std::vector<Tensor>;

/// Moves every element at least 0.01 away from a kink.
auto away_from(double kink) {
  return [kink](Inputs& all) {
    for (Tensor& x : all)
      for (double& value : x.data<double>())
        if (std::abs(value - kink) < 0.01) value = kink + 0.01;
  };
}

/// Makes every element positive, at least `least`.
auto positive(double least) {
  return [least](Inputs& all) {
    for (Tensor& x : all)
      for (double& value : x.data<double>()) value = std::abs(value) + least;
  };
}

/// Values of up to 90 in both directions: where a careless formula overflows in f32.
void saturated(Inputs& all) {
  for (Tensor& x : all)
    for (double& value : x.data<double>()) value *= 45;
}

const Shape odd{3, 7}, wide{2, 33, 5}, long_row{1, 20011}, none{0, 4}, number{};

const AddCase relu_odd{
    {"relu [3,7]", {odd}, [](auto& x) { return relu(x[0]); }, 1e-5, 1e-6, away_from(0)}};
const AddCase relu_long{
    {"relu [1,20011]", {long_row}, [](auto& x) { return relu(x[0]); }, 1e-5, 1e-6, away_from(0)}};
const AddCase relu_none{{"relu [0,4]", {none}, [](auto& x) { return relu(x[0]); }}};
const AddCase relu_number{
    {"relu []", {number}, [](auto& x) { return relu(x[0]); }, 1e-5, 1e-6, away_from(0)}};
const AddCase leaky{{"leaky_relu [2,33,5]",
                     {wide},
                     [](auto& x) { return leaky_relu(x[0], 0.2); },
                     1e-5,
                     1e-6,
                     away_from(0)}};
const AddCase abs_wide{
    {"abs [2,33,5]", {wide}, [](auto& x) { return abs(x[0]); }, 1e-5, 1e-6, away_from(0)}};
const AddCase sigmoid_wide{{"sigmoid [2,33,5]", {wide}, [](auto& x) { return sigmoid(x[0]); }}};
const AddCase sigmoid_ends{
    {"sigmoid saturated", {odd}, [](auto& x) { return sigmoid(x[0]); }, 1e-5, 1e-6, saturated}};
const AddCase tanh_wide{{"tanh [2,33,5]", {wide}, [](auto& x) { return tanh(x[0]); }}};
const AddCase tanh_ends{
    {"tanh saturated", {odd}, [](auto& x) { return tanh(x[0]); }, 1e-5, 1e-6, saturated}};
const AddCase exp_wide{{"exp [2,33,5]", {wide}, [](auto& x) { return exp(x[0]); }}};
const AddCase log_wide{
    {"log [2,33,5]", {wide}, [](auto& x) { return log(x[0]); }, 1e-5, 1e-6, positive(0.1)}};
const AddCase log_eps{
    {"log with eps", {odd}, [](auto& x) { return log(x[0], 0.5); }, 1e-5, 1e-6, positive(0)}};
const AddCase root{{"square_root [2,33,5]",
                    {wide},
                    [](auto& x) { return square_root(x[0]); },
                    1e-5,
                    1e-6,
                    positive(0.1)}};
const AddCase cube{{"power 3", {odd}, [](auto& x) { return power(x[0], 3); }}};
const AddCase square_case{{"square", {odd}, [](auto& x) { return square(x[0]); }}};
const AddCase half{
    {"power 0.5", {odd}, [](auto& x) { return sqrt(x[0]); }, 1e-5, 1e-6, positive(0.1)}};
const AddCase inverse_root{
    {"power -0.5", {odd}, [](auto& x) { return rsqrt(x[0]); }, 1e-5, 1e-6, positive(0.1)}};
const AddCase broken{
    {"power 1.7", {odd}, [](auto& x) { return power(x[0], 1.7); }, 1e-5, 1e-6, positive(0.1)}};
const AddCase zeroth{{"power 0", {odd}, [](auto& x) { return power(x[0], 0); }}};
const AddCase log_sigmoid_wide{
    {"log_sigmoid [2,33,5]", {wide}, [](auto& x) { return log_sigmoid(x[0]); }}};
const AddCase log_sigmoid_ends{{"log_sigmoid saturated",
                                {odd},
                                [](auto& x) { return log_sigmoid(x[0]); },
                                1e-5,
                                1e-6,
                                saturated}};
const AddCase softplus_wide{{"softplus [2,33,5]", {wide}, [](auto& x) { return softplus(x[0]); }}};
const AddCase softplus_ends{
    {"softplus saturated", {odd}, [](auto& x) { return softplus(x[0]); }, 1e-5, 1e-6, saturated}};
const AddCase clamp_both{{"clamp",
                          {wide},
                          [](auto& x) { return clamp(x[0], -0.5, 0.75); },
                          1e-5,
                          1e-6,
                          [](Inputs& all) {
                            away_from(-0.5)(all);
                            away_from(0.75)(all);
                          }}};
const AddCase clamp_low{
    {"clamp_min", {odd}, [](auto& x) { return clamp_min(x[0], 0.2); }, 1e-5, 1e-6, away_from(0.2)}};
const AddCase affine_case{{"affine", {wide}, [](auto& x) { return 2.5 - 3 * x[0]; }}};

const AddCase add_case{{"add [2,33,5]", {wide, wide}, [](auto& x) { return x[0] + x[1]; }}};
const AddCase add_itself{{"add of x twice", {odd}, [](auto& x) { return x[0] + x[0]; }}};
const AddCase add_long{
    {"add [1,20011]", {long_row, long_row}, [](auto& x) { return x[0] + x[1]; }}};
const AddCase add_none{{"add [0,4]", {none, none}, [](auto& x) { return x[0] + x[1]; }}};
const AddCase subtract_case{
    {"subtract [2,33,5]", {wide, wide}, [](auto& x) { return x[0] - x[1]; }}};
const AddCase multiply_case{
    {"multiply [2,33,5]", {wide, wide}, [](auto& x) { return x[0] * x[1]; }}};
const AddCase multiply_long{
    {"multiply [1,20011]", {long_row, long_row}, [](auto& x) { return x[0] * x[1]; }}};
const AddCase divide_case{{"divide [2,33,5]",
                           {wide, wide},
                           [](auto& x) { return x[0] / x[1]; },
                           1e-5,
                           1e-6,
                           positive(0.3)}};
const AddCase reciprocal{
    {"number / x", {odd}, [](auto& x) { return 2.0 / x[0]; }, 1e-5, 1e-6, positive(0.3)}};
const AddCase maximum_case{{"maximum [2,33,5]",
                            {wide, wide},
                            [](auto& x) { return maximum(x[0], x[1]); },
                            1e-5,
                            1e-6,
                            [](Inputs& all) {
                              for (std::int64_t i = 0; i < all[0].size(); ++i) {
                                const double a = all[0].raw<double>()[i];
                                double& b = all[1].raw<double>()[i];
                                if (std::abs(a - b) < 0.01) b = a + 0.01;
                              }
                            }}};

}  // namespace
}  // namespace dml::testing
