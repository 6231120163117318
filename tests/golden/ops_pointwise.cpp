#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/exp.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/leaky_relu.hpp"
#include "ops/log.hpp"
#include "ops/log_sigmoid.hpp"
#include "ops/maximum.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/sigmoid.hpp"
#include "ops/softplus.hpp"
#include "ops/tanh.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

/// A function of x alone.
Handler of_x(std::function<Var(const Var&)> function) {
  return
      [function = std::move(function)](Run& run) { run.output("y", function(run.variable("x"))); };
}

const AddGolden abs_case{"ops", "abs", of_x([](const Var& x) { return abs(x); })};
const AddGolden relu_case{"ops", "relu", of_x([](const Var& x) { return relu(x); })};
const AddGolden sigmoid_case{"ops", "sigmoid", of_x([](const Var& x) { return sigmoid(x); })};
const AddGolden tanh_case{"ops", "tanh", of_x([](const Var& x) { return tanh(x); })};
const AddGolden softplus_case{"ops", "softplus", of_x([](const Var& x) { return softplus(x); })};
const AddGolden logsigmoid_case{"ops", "logsigmoid",
                                of_x([](const Var& x) { return log_sigmoid(x); })};

const AddGolden leaky_relu_case{
    "ops", "leaky_relu", [](Run& run) {
      run.output("y", leaky_relu(run.variable("x"), run.given().number("negative_slope")));
    }};

const AddGolden clamp_case{
    "ops", "clamp", [](Run& run) {
      const Var x = run.variable("x");
      run.output("both", clamp(x, run.given().number("min"), run.given().number("max")));
      run.output("min", clamp_min(x, 0));
    }};

const AddGolden powers{"ops", "exp_log_sqrt_pow", [](Run& run) {
                         const Var x = run.variable("x");
                         run.output("exp", exp(x));
                         run.output("log", log(x));
                         run.output("sqrt", sqrt(x));
                         run.output("pow3", power(x, 3));
                         run.output("pow_half", power(x, 0.5));
                         run.output("rsqrt", rsqrt(x));
                       }};

const AddGolden broadcast_add_mul{
    "ops", "broadcast_add_mul", [](Run& run) {
      const Var a = run.variable("a"), b = run.variable("b"), c = run.variable("c");
      run.output("y", (a + broadcast_to(b, a.shape())) * broadcast_to(c, a.shape()));
    }};

const AddGolden div_broadcast{"ops", "div_broadcast", [](Run& run) {
                                const Var a = run.variable("a");
                                run.output("y", a / broadcast_to(run.variable("b"), a.shape()));
                              }};

const AddGolden l2_normalize_case{
    "ops", "l2_normalize", [](Run& run) {
      const bool added = run.given().text("formula").find("sqrt(sum") != std::string::npos;
      run.output("y", l2_normalize(run.variable("x"), run.given().number("eps"),
                                   added ? NormFloor::added : NormFloor::maximum));
    }};

}  // namespace
}  // namespace dml::golden
