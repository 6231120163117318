#include "ops/softmax.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "ops/cross_entropy.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/layer_norm.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// Numbers whose neighbours in f32 and f64 lie thousands apart once they are scaled.
const std::vector<double> huge{3e18, -1e18, 2.9e18, 1.31923e18, 1.21391e18, -4e18};

double sum_of(const Var& x) {
  double total = 0;
  const Tensor values = x.value().to(DType::f64);
  for (const double v : values.data<double>()) {
    CHECK(std::isfinite(v));
    total += v;
  }
  return total;
}

TEST_CASE("softmax: of huge numbers the largest takes all, and nothing overflows") {
  for (const Backend backend : {Backend::reference, Backend::cpu}) {
    for (const DType type : {DType::f32, DType::f64}) {
      Device device(backend, 1);
      const auto tape = Tape::train(device);
      const Var x = tape->variable(Tensor::of<double>({2, 3}, huge).to(type));
      const Tensor labels = Tensor::of<std::int64_t>({2}, {0, 0});
      const Var y = softmax(x, 0.1), log = log_softmax(x, 0.07);
      const Tensor shares = y.value().to(DType::f64);
      CHECK(shares.raw<double>()[0] == 1);
      CHECK(shares.raw<double>()[3] == 1);
      CHECK(sum_of(y) == 2);
      CHECK(sum_of(log) < 0);
      const Var cost = cross_entropy(x, labels, {.temperature = 0.07});
      CHECK(sum_of(cost) == 0);
      tape->backward(cost);
      const Tensor gradient = tape->gradient(x).to(DType::f64);
      for (const double g : gradient.data<double>()) CHECK(g == 0);
    }
  }
}

TEST_CASE("cross_entropy: logits in the thousands cost what they cost, in f32") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor::of<float>({1, 2}, {20000.0F, 20000.001953125F}));
  const double apart = 0.001953125;
  CHECK(sum_of(cross_entropy(x, Tensor::of<std::int64_t>({1}, {0}))) ==
        doctest::Approx(std::log1p(std::exp(apart))).epsilon(1e-6));
}

TEST_CASE("normalised rows: squares may be larger than f32 can be") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const Var x = tape->input(Tensor::of<float>({1, 2}, {3e25F, -4e25F}));
  const Tensor unit = l2_normalize(x).value().clone(), norm = layer_norm(x, {}, {}).value().clone();
  CHECK(unit.data<float>()[0] == doctest::Approx(0.6));
  CHECK(unit.data<float>()[1] == doctest::Approx(-0.8));
  CHECK(norm.data<float>()[0] == doctest::Approx(1));
  CHECK(norm.data<float>()[1] == doctest::Approx(-1));
}

}  // namespace
}  // namespace dml
