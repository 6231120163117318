#include "ops/layer_norm.hpp"

#include <algorithm>
#include <cmath>

#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// dx = (dy - mean(dy) - y mean(dy y)) / sqrt(variance + eps)
struct LayerNorm {
  double eps;
  Tensor y{}, inv_std{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    inv_std = device.empty({x.dim(0)}, x.dtype());
    kernel::layer_norm_fwd(device, x, eps, y, inv_std);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(y.shape(), y.dtype());
    kernel::layer_norm_bwd(device, y, inv_std, device.dense(dy), dx);
    return {dx};
  }
};

template <class T>
void forward_rows(const Tensor& x, double eps, Tensor& y, Tensor& inv_std, std::int64_t first,
                  std::int64_t last) {
  const std::int64_t d = x.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T* in = x.raw<T>() + i * d;
    T* out = y.raw<T>() + i * d;
    T mean = 0;
    for (std::int64_t k = 0; k < d; ++k) mean += in[k];
    mean /= static_cast<T>(d);
    double square = 0;  // of f32, squares may be larger than f32 can be
    for (std::int64_t k = 0; k < d; ++k) {
      const auto apart = static_cast<double>(in[k] - mean);
      square += apart * apart;
    }
    const T factor = static_cast<T>(1 / std::sqrt(square / static_cast<double>(d) + eps));
    inv_std.raw<T>()[i] = factor;
    for (std::int64_t k = 0; k < d; ++k) out[k] = (in[k] - mean) * factor;
  }
}

template <class T>
void backward_rows(const Tensor& y, const Tensor& inv_std, const Tensor& dy, Tensor& dx,
                   std::int64_t first, std::int64_t last) {
  const std::int64_t d = y.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T *out = y.raw<T>() + i * d, *up = dy.raw<T>() + i * d;
    T* in = dx.raw<T>() + i * d;
    T mean = 0, along = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      mean += up[k];
      along += up[k] * out[k];
    }
    mean /= static_cast<T>(d);
    along /= static_cast<T>(d);
    const T factor = inv_std.raw<T>()[i];
    for (std::int64_t k = 0; k < d; ++k) in[k] = factor * (up[k] - mean - out[k] * along);
  }
}

void forward_reference(Device&, const Tensor& x, double eps, Tensor& y, Tensor& inv_std) {
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(x, eps, y, inv_std, first, last);
  });
}
void forward_cpu(Device& device, const Tensor& x, double eps, Tensor& y, Tensor& inv_std) {
  threaded_lines(device, x.dim(0), x.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(x, eps, y, inv_std, first, last);
  });
}
void backward_reference(Device&, const Tensor& y, const Tensor& inv_std, const Tensor& dy,
                        Tensor& dx) {
  serial_lines(y.dtype(), y.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(y, inv_std, dy, dx, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& y, const Tensor& inv_std, const Tensor& dy,
                  Tensor& dx) {
  threaded_lines(device, y.dim(0), y.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(y, inv_std, dy, dx, first, last);
  });
}

const bool layer_norm_added = kernel::layer_norm_fwd.add(Backend::reference, forward_reference) &&
                              kernel::layer_norm_fwd.add(Backend::cpu, forward_cpu) &&
                              kernel::layer_norm_bwd.add(Backend::reference, backward_reference) &&
                              kernel::layer_norm_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var layer_norm(const Var& x, const Var& weight, const Var& bias, double eps) {
  DML_CHECK(x.rank() >= 1, "layer_norm: x is one number; it must have a dimension to normalise");
  const Shape tail = weight.defined() ? weight.shape()
                     : bias.defined() ? bias.shape()
                                      : Shape{x.dim(-1)};
  const bool fits = tail.size() <= x.shape().size() &&
                    std::equal(tail.rbegin(), tail.rend(), x.shape().rbegin()) &&
                    (!bias.defined() || bias.shape() == tail);
  DML_CHECK(fits, "layer_norm: x " + to_string(x.shape()) + " does not end in the shape " +
                      to_string(tail) + " of weight and bias");
  const std::int64_t d = count(tail);
  const Var rows = reshape(x, {d == 0 ? 0 : x.value().size() / d, d});
  Var y = reshape(apply(LayerNorm{eps}, rows), x.shape());
  if (weight.defined()) y = y * broadcast_to(weight, x.shape());
  if (bias.defined()) y = y + broadcast_to(bias, x.shape());
  return y;
}

}  // namespace dml
