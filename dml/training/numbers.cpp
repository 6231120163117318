#include "dml/training/numbers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "dml/clip.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/device.hpp"

namespace dml {
namespace {

constexpr std::int64_t chunk = 1 << 16;

/// The sum of squares in eight lanes, which the compiler turns into vector code; always in this
/// order.
template <class T> double sum_of_squares(const T* values, std::int64_t n) {
  std::array<double, 8> lanes{};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t j = 0; j < 8; ++j) {
      const double value = values[i + static_cast<std::int64_t>(j)];
      lanes[j] += value * value;
    }
  for (; i < n; ++i) lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double sum_of_squares(const Tensor& tensor, int threads) {
  const std::int64_t chunks = (tensor.size() + chunk - 1) / chunk;
  std::vector<double> sums(static_cast<std::size_t>(chunks));
  visit_float(tensor.dtype(), [&]<class T>() {
    const T* values = tensor.raw<T>();
    cpu::parallel_for(threads, chunks, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t c = first; c < last; ++c)
        sums[static_cast<std::size_t>(c)] =
            sum_of_squares(values + c * chunk, std::min(chunk, tensor.size() - c * chunk));
    });
  });
  double sum = 0;
  for (const double one : sums) sum += one;
  return sum;
}

using Gradients = std::vector<Tensor>;

double norm_of(Device& device, const Gradients& gradients) {
  if (gradients.empty()) return 0;
  if (device.place() != Place::host) {
    Tensor norm = device.empty({}, gradients[0].dtype());
    kernel::gradient_norm(device, gradients, 2, norm);
    return norm.item();
  }
  double sum = 0;
  for (const Tensor& gradient : gradients) sum += sum_of_squares(gradient, device.threads());
  return std::sqrt(sum);
}

/// Calls body with every parameter that has a gradient, and the gradient.
template <class Body>
void each_gradient(const Device& device, const ParameterStore& store, Body&& body) {
  for (const Parameter& parameter : store.all())
    if (parameter.trainable && parameter.grad.defined())
      body(parameter, device.dense(parameter.grad));
}

std::string group_of(const Parameter& parameter) {
  if (!parameter.group.empty()) return parameter.group;
  return parameter.name.rfind("loss.", 0) == 0 ? "loss" : "net";
}

}  // namespace

double gradient_norm(Device& device, const ParameterStore& store) {
  Gradients gradients;
  each_gradient(device, store, [&](const Parameter&, Tensor gradient) {
    gradients.push_back(std::move(gradient));
  });
  return norm_of(device, gradients);
}

Figures gradient_norms(Device& device, const ParameterStore& store) {
  std::map<std::string, Gradients> groups;
  each_gradient(device, store, [&](const Parameter& parameter, Tensor gradient) {
    groups[group_of(parameter)].push_back(std::move(gradient));
  });
  Figures norms;
  if (groups.size() < 2) return norms;
  for (const auto& [name, gradients] : groups)
    norms.emplace_back("grad_norm_" + name, norm_of(device, gradients));
  return norms;
}

std::int64_t first_not_finite(const Tensor& tensor) {
  if (!tensor.defined() || (tensor.dtype() != DType::f32 && tensor.dtype() != DType::f64))
    return -1;
  const Tensor host = tensor.to_host().dense();
  return visit_float(host.dtype(), [&]<class T>() -> std::int64_t {
    const auto values = host.data<T>();
    const auto found =
        std::find_if(values.begin(), values.end(), [](T v) { return !std::isfinite(v); });
    return found == values.end() ? -1 : found - values.begin();
  });
}

}  // namespace dml
