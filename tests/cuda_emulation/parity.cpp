#include <doctest/doctest.h>

#include <cmath>

#include "engine/random.hpp"
#include "ops/batch_norm.hpp"
#include "ops/conv2d.hpp"
#include "ops/matmul.hpp"
#include "ops/pool2d.hpp"
#include "tests/op_case.hpp"

// The sources of the CUDA backend, compiled as C++ and run on the processor, against the reference
// backend: their arithmetic, indexing and barriers are checked where there is no GPU. The libraries
// (cuBLASLt, cuDNN) are stood in for by loops; what a GPU does with launches, streams and memory is
// not seen here.
namespace dml::testing {
namespace {

Tensor normal(const Shape& shape, std::uint64_t index, DType type) {
  Tensor values(shape, DType::f64);
  const Random random(7, Purpose::weights, 0, index);
  const auto out = values.data<double>();
  for (std::size_t i = 0; i < out.size(); ++i)
    // Numbers that f32 holds, so that both backends start from the same.
    out[i] = static_cast<double>(static_cast<float>(random.normal(i)));
  return type == DType::f64 ? values : values.to(type);
}

struct Result {
  Tensor value;
  std::vector<Tensor> gradients;
};

Result run(Device& device, const OpCase& one, DType type) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < one.inputs.size(); ++i)
    inputs.push_back(normal(one.inputs[i], i, DType::f64));
  if (one.prepare) one.prepare(inputs);
  const auto tape = Tape::train(device);
  std::vector<Var> x;
  for (const Tensor& input : inputs) x.push_back(tape->variable(input.to(type)));
  const Var y = one.run(x);
  Result result{y.value().to_host().dense().to(DType::f64), {}};
  if (!one.gradient || !y.needs_grad()) return result;
  const Tensor dy = normal(y.shape(), 99, DType::f64).to(type);
  const std::pair<Var, Tensor> output{y, device.upload(dy)};
  tape->backward(std::span(&output, 1));
  for (const Var& v : x) {
    const Tensor g = tape->gradient(v);
    result.gradients.push_back(g.defined() ? g.to_host().dense().to(DType::f64) : Tensor{});
  }
  return result;
}

void compare(const Tensor& got, const Tensor& want, double rtol, double atol) {
  REQUIRE(got.defined() == want.defined());
  if (!got.defined()) return;
  REQUIRE(got.shape() == want.shape());
  const auto a = got.data<double>(), b = want.data<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) && std::isnan(a[i])) continue;
    if (std::abs(a[i] - b[i]) <= atol + rtol * std::abs(b[i])) continue;
    FAIL_CHECK("element " << i << ": " << a[i] << ", reference " << b[i]);
    return;
  }
}

TEST_CASE("emulated GPU: every op case agrees with the reference") {
  Device reference(Backend::reference);
  Device cuda(Backend::cuda);
  REQUIRE(!op_cases().empty());
  for (const OpCase& one : op_cases()) {
    CAPTURE(one.name);
    const Result want = run(reference, one, DType::f64);
    const Result got = run(cuda, one, DType::f32);
    compare(got.value, want.value, one.rtol, one.atol);
    REQUIRE(got.gradients.size() == want.gradients.size());
    for (std::size_t i = 0; i < got.gradients.size(); ++i)
      compare(got.gradients[i], want.gradients[i], one.rtol, one.atol);
  }
}

}  // namespace
}  // namespace dml::testing
