#include "ops/l2_normalize.hpp"

#include <algorithm>
#include <cmath>

#include "ops/lines.hpp"

namespace dml {
namespace {

/// Divided by its length (or sqrt(length^2 + eps)):  dx = (dy - y <y, dy>) / divisor.
/// Divided by eps:                                   dx = dy / eps.
struct L2Normalize {
  double eps;
  NormFloor floor;
  Tensor y, divisor;  // kept for the backward pass

  OpDescription describe() const {
    return {.name = "l2_normalize",
            .settings = {{"eps", {eps}}, {"added", {floor == NormFloor::added ? 1.0 : 0.0}}}};
  }
  Tensor forward(Device& device, const Tensor& in) {
    DML_CHECK(in.rank() == 2, "l2_normalize: x must be [n, d], not " + to_string(in.shape()));
    const Tensor x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    divisor = device.empty({x.dim(0)}, x.dtype());
    kernel::l2_normalize_fwd(device, x, eps, floor, y, divisor);
    return y;
  }

  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(y.shape(), y.dtype());
    kernel::l2_normalize_bwd(device, y, divisor, eps, floor, device.dense(dy), dx);
    return {dx};
  }
};

template <class T> T dot(const T* a, const T* b, std::int64_t n) {
  T sum = 0;
  for (std::int64_t k = 0; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

/// In f64: squares of f32 may be larger than f32 can be.
template <class T> double sum_of_squares(const T* a, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t k = 0; k < n; ++k) sum += static_cast<double>(a[k]) * static_cast<double>(a[k]);
  return sum;
}

void forward(Device& device, const Tensor& x, double eps, NormFloor floor, Tensor& y,
             Tensor& divisor) {
  const std::int64_t n = x.dim(0), d = x.dim(1);
  all_lines(device, x.dtype(), n, d, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const T* in = x.raw<T>() + i * d;
      T* out = y.raw<T>() + i * d;
      const double square = sum_of_squares(in, d);
      const T bounded = static_cast<T>(
          floor == NormFloor::maximum ? std::max(std::sqrt(square), eps) : std::sqrt(square + eps));
      divisor.raw<T>()[i] = bounded;
      for (std::int64_t k = 0; k < d; ++k) out[k] = in[k] / bounded;
    }
  });
}

void backward(Device& device, const Tensor& y, const Tensor& divisor, double eps, NormFloor floor,
              const Tensor& dy, Tensor& dx) {
  const std::int64_t n = y.dim(0), d = y.dim(1);
  all_lines(device, y.dtype(), n, 2 * d, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const T *out = y.raw<T>() + i * d, *up = dy.raw<T>() + i * d;
      T* in = dx.raw<T>() + i * d;
      const T bounded = divisor.raw<T>()[i];
      const bool constant = floor == NormFloor::maximum && bounded <= T(eps);
      const T along = constant ? T(0) : dot(out, up, d);
      for (std::int64_t k = 0; k < d; ++k) in[k] = (up[k] - out[k] * along) / bounded;
    }
  });
}

const bool l2_normalize_added = kernel::l2_normalize_fwd.add(Backend::reference, forward) &&
                                kernel::l2_normalize_fwd.add(Backend::cpu, forward) &&
                                kernel::l2_normalize_bwd.add(Backend::reference, backward) &&
                                kernel::l2_normalize_bwd.add(Backend::cpu, backward);

}  // namespace

Var l2_normalize(const Var& x, double eps, NormFloor floor) {
  return apply(L2Normalize{.eps = eps, .floor = floor, .y = {}, .divisor = {}}, x);
}

}  // namespace dml
