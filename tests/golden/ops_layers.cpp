#include "ops/arithmetic.hpp"
#include "ops/batch_norm.hpp"
#include "ops/conv2d.hpp"
#include "ops/matmul.hpp"
#include "ops/pool2d.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

/// "3" or "(3, 5)": one number stands for both sides.
std::array<int, 2> sides(const Case& given, const std::string& key, int fallback) {
  if (!given.says(key)) return {fallback, fallback};
  const std::vector<std::int64_t> values = given.integers(key);
  return {static_cast<int>(values.at(0)), static_cast<int>(values.back())};
}

const AddGolden conv2d_case{
    "ops", "conv2d", [](Run& run) {
      const Case& given = run.given();
      const Conv2dOptions options{.stride = sides(given, "stride", 1),
                                  .pad = sides(given, "padding", 0),
                                  .dilation = sides(given, "dilation", 1),
                                  .groups = static_cast<int>(given.integer("groups", 1))};
      const Var x = run.map("x"), weight = run.map("weight");
      const Var bias = given.has("param.bias") ? run.variable("bias") : Var();
      run.output_map("y", conv2d(x, weight, bias, options));
    }};

Pool2dOptions pool_options(const Case& given) {
  Pool2dOptions options;
  options.kernel = sides(given, "kernel", 2);
  options.stride = given.says("stride") ? sides(given, "stride", 2) : options.kernel;
  options.pad = sides(given, "padding", 0);
  options.dilation = sides(given, "dilation", 1);
  options.ceil_mode = given.flag("ceil_mode");
  options.count_include_pad = given.flag("count_include_pad", true);
  return options;
}

const AddGolden max_pool{"ops", "max_pool2d", [](Run& run) {
                           run.output_map("y", max_pool2d(run.map("x"), pool_options(run.given())));
                         }};

const AddGolden avg_pool{"ops", "avg_pool2d", [](Run& run) {
                           run.output_map("y", avg_pool2d(run.map("x"), pool_options(run.given())));
                         }};

const AddGolden adaptive_avg{"ops", "adaptive_avg_pool2d", [](Run& run) {
                               const auto size = sides(run.given(), "output_size", 1);
                               run.output_map("y",
                                              adaptive_avg_pool2d(run.map("x"), size[0], size[1]));
                             }};

const AddGolden adaptive_max{"ops", "adaptive_max_pool2d", [](Run& run) {
                               const auto size = sides(run.given(), "output_size", 1);
                               run.output_map("y",
                                              adaptive_max_pool2d(run.map("x"), size[0], size[1]));
                             }};

const AddGolden avg_plus_max{"ops", "avg_plus_max_pool", [](Run& run) {
                               const Var x = run.map("x");
                               run.output("y", global_avg_pool(x) + global_max_pool(x));
                             }};

const AddGolden batch_norm_case{
    "ops", "batch_norm", [](Run& run) {
      const Case& given = run.given();
      BatchNormOptions options;
      options.eps = given.number("eps");
      options.momentum = given.number("momentum");
      options.batch_statistics = given.flag("training", true);
      RunningStatistics running;
      running.mean = run.device().upload(run.tensor("in.running_mean").clone());
      running.variance = run.device().upload(run.tensor("in.running_var").clone());
      const bool map = given.at("in.x").rank() == 4;
      const Var x = map ? run.map("x") : run.variable("x");
      const Var weight = given.has("param.weight") ? run.variable("weight") : Var();
      const Var bias = given.has("param.bias") ? run.variable("bias") : Var();
      const Var y = batch_norm(x, weight, bias, running, options);
      if (map) {
        run.output_map("y", y);
      } else {
        run.output("y", y);
      }
      run.give("out.running_mean", running.mean);
      run.give("out.running_var", running.variance);
    }};

const AddGolden linear_case{
    "ops", "linear", [](Run& run) {
      const Var bias = run.given().has("param.bias") || run.given().has("in.bias")
                           ? run.variable("bias")
                           : Var();
      run.output("y", linear(run.variable("x"), run.variable("weight"), bias));
    }};

/// The leading dimensions of two stacks of matrices, each repeated to the other's.
Shape common_stack(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape result;
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    const auto at = [&](const Shape& s) {
      return i + s.size() < rank ? 1 : s[i + s.size() - rank];
    };
    result.push_back(std::max(at(a), at(b)));
  }
  return result;
}

Var stacked(const Var& x, Shape shape) {
  shape.push_back(x.dim(-2));
  shape.push_back(x.dim(-1));
  return broadcast_to(x, shape);
}

const AddGolden matmul_case{
    "ops", "matmul", [](Run& run) {
      const Var a = run.variable("a"), b = run.variable("b");
      const Transpose transpose{run.given().flag("transpose_a"), run.given().flag("transpose_b")};
      if (b.rank() == 1) {  // a matrix times a vector
        const Var column = matmul(a, reshape(b, {b.dim(0), 1}));
        run.output("y", reshape(column, {a.dim(0)}));
        return;
      }
      const Shape stack = common_stack(a.shape(), b.shape());
      run.output("y", matmul(stacked(a, stack), stacked(b, stack), transpose));
    }};

}  // namespace
}  // namespace dml::golden
