#include "dml/clip.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

/// The gradients of a store, packed; they replace those that are not.
std::vector<Tensor> gradients_of(Device& device, ParameterStore& store) {
  std::vector<Tensor> gradients;
  for (Parameter& parameter : store.all()) {
    if (!parameter.trainable || !parameter.grad.defined()) continue;
    parameter.grad = device.dense(parameter.grad);
    gradients.push_back(parameter.grad);
  }
  return gradients;
}

/// Sums of |g|^power (or the maximum) over parts of a fixed size, so that the result is the same
/// for any number of threads.
constexpr std::int64_t part = 1 << 14;

template <class T> double part_norm(const T* g, std::int64_t n, double power) {
  double sum = 0, most = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double size = std::abs(static_cast<double>(g[i]));
    most = std::max(most, size);
    if (size != size) most = size;  // NaN must not get lost in the maximum
    sum += power == 2          ? size * size
           : power == 1        ? size
           : std::isinf(power) ? 0
                               : std::pow(size, power);
  }
  return std::isinf(power) ? most : sum;
}

void norm(Device& device, std::span<const Tensor> gradients, double power, Tensor& result) {
  struct Piece {
    const Tensor* tensor;
    std::int64_t first;
    double value;
  };
  std::vector<Piece> pieces;
  for (const Tensor& gradient : gradients)
    for (std::int64_t first = 0; first < gradient.size(); first += part)
      pieces.push_back({&gradient, first, 0});
  visit_float(result.dtype(), [&]<class T>() {
    cpu::parallel_for(device.threads(), static_cast<std::int64_t>(pieces.size()), 1,
                      [&](std::int64_t from, std::int64_t to) {
                        for (std::int64_t i = from; i < to; ++i) {
                          Piece& piece = pieces[static_cast<std::size_t>(i)];
                          piece.value =
                              part_norm(piece.tensor->raw<T>() + piece.first,
                                        std::min(part, piece.tensor->size() - piece.first), power);
                        }
                      });
    double total = 0;
    for (const Piece& piece : pieces) {
      if (!std::isinf(power)) {
        total += piece.value;
      } else if (piece.value > total || piece.value != piece.value) {
        total = piece.value;
      }
    }
    *result.raw<T>() = static_cast<T>(std::isinf(power) ? total : std::pow(total, 1 / power));
  });
}

/// Calls body on every element of every tensor.
template <class T, class Body>
void each(Device& device, std::span<const Tensor> gradients, Body body) {
  for (const Tensor& gradient : gradients) {
    T* const g = gradient.raw<T>();
    cpu::parallel_for(device.threads(), gradient.size(), part,
                      [&](std::int64_t first, std::int64_t last) {
                        for (std::int64_t i = first; i < last; ++i) g[i] = body(g[i]);
                      });
  }
}

void scale(Device& device, const Tensor& total, double most, std::span<const Tensor> gradients) {
  visit_float(total.dtype(), [&]<class T>() {
    const double factor = most / (static_cast<double>(*total.raw<T>()) + 1e-6);
    if (factor >= 1) return;  // a NaN goes on, so that it shows
    each<T>(device, gradients, [factor](T g) { return g * static_cast<T>(factor); });
  });
}

void cut(Device& device, double most, std::span<const Tensor> gradients) {
  if (gradients.empty()) return;
  visit_float(gradients[0].dtype(), [&]<class T>() {
    const T bound = static_cast<T>(most);
    each<T>(device, gradients, [bound](T g) {
      return g > bound ? bound : g < -bound ? -bound : g;
    });
  });
}

const bool clip_added = kernel::gradient_norm.add(Backend::reference, norm) &&
                        kernel::gradient_norm.add(Backend::cpu, norm) &&
                        kernel::scale_gradients.add(Backend::reference, scale) &&
                        kernel::scale_gradients.add(Backend::cpu, scale) &&
                        kernel::cut_gradients.add(Backend::reference, cut) &&
                        kernel::cut_gradients.add(Backend::cpu, cut);

}  // namespace

Tensor clip_gradient_norm(Device& device, ParameterStore& store, double most, double power) {
  const std::vector<Tensor> gradients = gradients_of(device, store);
  if (gradients.empty()) return {};
  Tensor total = device.empty({}, gradients[0].dtype());
  kernel::gradient_norm(device, gradients, power, total);
  kernel::scale_gradients(device, total, most, gradients);
  return total;
}

void clip_gradient_value(Device& device, ParameterStore& store, double most) {
  kernel::cut_gradients(device, most, gradients_of(device, store));
}

}  // namespace dml
