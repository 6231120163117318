#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "engine/kernel.hpp"
#include "tests/op_case.hpp"

namespace dml::testing {
namespace {

/// Inputs of a case: host tensors in f64 whose numbers an f32 holds exactly.
std::vector<Tensor> inputs_of(const OpCase& one) {
  std::vector<Tensor> inputs;
  std::uint64_t seed = 0;
  for (const char letter : one.name) seed = seed * 131 + static_cast<unsigned char>(letter);
  RandomSequence random(Random(seed, Purpose::weights));
  for (const Shape& shape : one.inputs) {
    Tensor input = Tensor::empty(shape, DType::f64);
    for (double& value : input.data<double>()) value = random.normal();
    inputs.push_back(input);
  }
  if (one.prepare) one.prepare(inputs);
  for (Tensor& input : inputs)
    if (input.dtype() == DType::f64) input = input.to(DType::f32).to(DType::f64);
  return inputs;
}

/// A value and the gradients of sum(value * upstream), on the host.
struct Outcome {
  Tensor value;
  std::vector<Tensor> gradients;  // undefined where nothing flows back
};

/// Numbers between -1 and 1 that depend on the shape alone.
Tensor upstream_of(const Shape& shape, DType type) {
  Tensor all = Tensor::empty(shape, DType::f64);
  const Random random(7, Purpose::augment);
  for (std::int64_t i = 0; i < all.size(); ++i)
    all.raw<double>()[i] = 2.0 * random.uniform_float(static_cast<std::uint64_t>(i)) - 1;
  return all.to(type);
}

std::vector<Var> variables(Tape& tape, const std::vector<Tensor>& inputs, DType type) {
  std::vector<Var> all;
  for (const Tensor& input : inputs)
    all.push_back(tape.variable(tape.device().upload(input.to(type))));
  return all;
}

Outcome run(const OpCase& one, Device& device, DType type, const std::vector<Tensor>& inputs) {
  auto tape = Tape::train(device);
  const std::vector<Var> x = variables(*tape, inputs, type);
  const Var y = one.run(x);
  Outcome outcome{device.dense(y.value()).to_host().clone(), {}};
  if (!one.gradient) return outcome;
  const std::pair<Var, Tensor> output{y, device.upload(upstream_of(y.shape(), type))};
  tape->backward(std::span(&output, 1));
  for (const Var& input : x) {
    const Tensor gradient = tape->gradient(input);
    outcome.gradients.push_back(gradient.defined() ? device.dense(gradient).to_host().clone()
                                                   : gradient);
  }
  return outcome;
}

double objective(const OpCase& one, Device& device, const std::vector<Tensor>& inputs) {
  auto tape = Tape::train(device);
  const Tensor y = device.dense(one.run(variables(*tape, inputs, DType::f64)).value());
  const Tensor upstream = upstream_of(y.shape(), DType::f64);
  double total = 0;
  for (std::int64_t i = 0; i < y.size(); ++i)
    total += y.raw<double>()[i] * upstream.raw<double>()[i];
  return total;
}

double largest(const Tensor& x) {
  double most = 0;
  for (const double value : x.data<double>()) most = std::max(most, std::abs(value));
  return most;
}

/// At most 48 elements of each input are moved by h in both directions.
void check_gradient(const OpCase& one) {
  constexpr double h = 1e-5;
  Device device(Backend::reference);
  std::vector<Tensor> inputs = inputs_of(one);
  const Outcome outcome = run(one, device, DType::f64, inputs);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Tensor& gradient = outcome.gradients[k];
    // A missing gradient stands for zeros.
    const Tensor analytic = gradient.defined() ? gradient : Tensor(inputs[k].shape(), DType::f64);
    CHECK_MESSAGE(analytic.shape() == inputs[k].shape(), one.name << ": shape of gradient " << k);
    const std::int64_t n = inputs[k].size(), step = std::max<std::int64_t>(1, n / 48);
    const double scale = 1 + largest(analytic);
    for (std::int64_t i = 0; i < n; i += step) {
      Tensor moved = inputs[k].clone();
      std::swap(moved, inputs[k]);
      double& at = inputs[k].raw<double>()[i];
      const double middle = at;
      at = middle + h;
      const double above = objective(one, device, inputs);
      at = middle - h;
      const double below = objective(one, device, inputs);
      std::swap(moved, inputs[k]);
      const double numeric = (above - below) / (2 * h), exact = analytic.raw<double>()[i];
      CHECK_MESSAGE(std::abs(numeric - exact) <= 1e-6 * scale,
                    one.name << ": gradient of input " << k << " at " << i << " is " << exact
                             << ", central differences give " << numeric);
    }
  }
}

void check_near(const OpCase& one, const Tensor& got, const Tensor& want, const std::string& what) {
  if (!want.defined() && !got.defined()) return;
  REQUIRE_MESSAGE(got.defined() == want.defined(), one.name << ": " << what << " is missing");
  REQUIRE_MESSAGE(got.shape() == want.shape(), one.name << ": " << what << " has another shape");
  const Tensor a = got.to(DType::f64), b = want.to(DType::f64);
  double worst = 0;
  std::int64_t place = -1;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.raw<double>()[i], y = b.raw<double>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double excess = std::abs(x - y) / (one.atol + one.rtol * std::abs(y));
    if (excess > worst || std::isnan(excess)) {
      worst = std::isnan(excess) ? HUGE_VAL : excess;
      place = i;
    }
  }
  CHECK_MESSAGE(worst <= 1, one.name << ": " << what << " at " << place << " is "
                                     << a.raw<double>()[std::max<std::int64_t>(place, 0)]
                                     << ", not "
                                     << b.raw<double>()[std::max<std::int64_t>(place, 0)] << " ("
                                     << worst << " times the tolerance)");
}

void check_near(const OpCase& one, const Outcome& got, const Outcome& want,
                const std::string& where) {
  check_near(one, got.value, want.value, "value on " + where);
  for (std::size_t k = 0; k < want.gradients.size(); ++k)
    check_near(one, got.gradients[k], want.gradients[k],
               "gradient " + std::to_string(k) + " on " + where);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw_bytes(), b.raw_bytes(), a.bytes()) == 0);
}

/// The backends to run f32 on; absent ones are named.
std::vector<Device> devices() {
  std::vector<Device> all;
  for (const Backend backend : {Backend::reference, Backend::cpu, Backend::cuda}) {
    const BackendState state = backend_state(backend);
    if (state.present) {
      all.push_back(Device::open(name_of(backend), backend == Backend::cpu ? 2 : 0));
    } else {
      MESSAGE("skipped: " << std::string(name_of(backend)) << " (" << state.detail << ")");
    }
  }
  return all;
}

/// The same elements as a channel slice of a wider tensor.
Tensor pitched(const Tensor& x) {
  if (x.rank() == 0) return x;
  Shape wide = x.shape();
  wide.back() += 3;
  Tensor slice = Tensor(wide, x.dtype()).channels(1, 1 + x.dim(-1));
  if (x.size() > 0) Device(Backend::reference).copy(x, slice);
  return slice;
}

TEST_CASE("every op: gradients agree with central differences") {
  for (const OpCase& one : op_cases())
    if (one.gradient) check_gradient(one);
}

TEST_CASE("every op: f32 of every backend agrees with reference in f64") {
  Device reference(Backend::reference);
  for (Device& device : devices()) {
    for (const OpCase& one : op_cases()) {
      const std::vector<Tensor> inputs = inputs_of(one);
      check_near(one, run(one, device, DType::f32, inputs), run(one, reference, DType::f64, inputs),
                 device.name());
    }
  }
}

TEST_CASE("every op: two runs give the same bits") {
  for (Device& device : devices()) {
    for (const OpCase& one : op_cases()) {
      const std::vector<Tensor> inputs = inputs_of(one);
      const Outcome a = run(one, device, DType::f32, inputs);
      const Outcome b = run(one, device, DType::f32, inputs);
      CHECK_MESSAGE(same_bits(a.value, b.value), one.name << ": value on " << device.name());
      for (std::size_t k = 0; k < a.gradients.size(); ++k)
        CHECK_MESSAGE(same_bits(a.gradients[k], b.gradients[k]),
                      one.name << ": gradient " << k << " on " << device.name());
    }
  }
}

TEST_CASE("every op: inference records nothing and gives the same value") {
  for (Device& device : devices()) {
    for (const OpCase& one : op_cases()) {
      const std::vector<Tensor> inputs = inputs_of(one);
      auto tape = Tape::infer(device);
      const Var y = one.run(variables(*tape, inputs, DType::f32));
      CHECK_MESSAGE(tape->length() == 0, one.name << " on " << device.name());
      CHECK_FALSE(y.needs_grad());
      if (!one.same_in_inference) continue;
      CHECK_MESSAGE(same_bits(device.dense(y.value()).to_host().clone(),
                              run(one, device, DType::f32, inputs).value),
                    one.name << " on " << device.name());
    }
  }
}

TEST_CASE("every op: channel slices of wider tensors give the values of packed ones") {
  Device reference(Backend::reference);
  for (Device& device : devices()) {
    if (device.place() != Place::host) continue;
    for (const OpCase& one : op_cases()) {
      const std::vector<Tensor> inputs = inputs_of(one);
      auto tape = Tape::infer(device);
      std::vector<Var> x;
      for (const Tensor& input : inputs) x.push_back(tape->input(pitched(input.to(DType::f32))));
      const Var y = one.run(x);
      if (!one.same_in_inference) continue;
      check_near(one, device.dense(y.value()), run(one, reference, DType::f64, inputs).value,
                 "value from slices on " + device.name());
    }
  }
}

/// Kernels of optimizers and the like have tests of their own.
bool belongs_to_ops(const KernelBase& kernel, Backend backend) {
  const std::filesystem::path file = kernel.file(backend);
  return file.parent_path().filename() == "ops" || file.filename() == "accumulate.cpp";
}

TEST_CASE("every op: every kernel slot of this build is run by a case") {
  for (Device& device : devices()) {
    for (const OpCase& one : op_cases()) {
      const std::vector<Tensor> inputs = inputs_of(one);
      run(one, device, DType::f32, inputs);
    }
  }
  for (const KernelBase* kernel : KernelBase::all()) {
    for (const Backend backend : {Backend::reference, Backend::cpu, Backend::cuda}) {
      if (!kernel->has(backend) || !belongs_to_ops(*kernel, backend)) continue;
      const std::string slot = std::string(kernel->name()) + " on " + name_of(backend);
      if (!backend_state(backend).present) {
        MESSAGE("skipped: " << slot);
        continue;
      }
      CHECK_MESSAGE(kernel->uses(backend) > 0,
                    "no case runs " << slot << " (" << std::string(kernel->file(backend)) << ")");
    }
  }
}

TEST_CASE("every op: a build with CUDA has a cuda slot for every kernel of the ops") {
  if (!backend_state(Backend::cuda).built) {
    MESSAGE("skipped: this build has no CUDA");
    return;
  }
  for (const KernelBase* kernel : KernelBase::all())
    if (kernel->has(Backend::reference) && belongs_to_ops(*kernel, Backend::reference))
      CHECK_MESSAGE(kernel->has(Backend::cuda),
                    "kernel '" << kernel->name() << "' has no cuda slot");
}

}  // namespace
}  // namespace dml::testing
