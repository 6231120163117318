#include "ops/unit_rows.hpp"

#include <algorithm>

#include "ops/lines.hpp"

namespace dml {
namespace {

/// With N = ||x|| > eps:  dx = (dy - g <y, dy>) / N,  g = d||y|| / dy;  else dx = dy / eps.
struct UnitRows {
  double p, eps;
  Tensor y, divisor;  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    DML_CHECK(in.rank() == 2, "unit_rows: x must be [n, d], not " + to_string(in.shape()));
    const Tensor x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    divisor = device.empty({x.dim(0)}, x.dtype());
    kernel::unit_rows_fwd(device, x, p, eps, y, divisor);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(y.shape(), y.dtype());
    kernel::unit_rows_bwd(device, y, divisor, p, eps, device.dense(dy), dx);
    return {dx};
  }
};

template <class T>
void forward_rows(const Tensor& x, double p, double eps, Tensor& y, Tensor& divisor,
                  std::int64_t first, std::int64_t last) {
  const std::int64_t d = x.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T* in = x.raw<T>() + i * d;
    T* out = y.raw<T>() + i * d;
    T largest = 0;
#pragma omp simd reduction(max : largest)
    for (std::int64_t k = 0; k < d; ++k) largest = std::max(largest, std::abs(in[k]));
    const T scale = largest > T(0) ? T(1) / largest : T(0);
    double total = 0;
    if (scale > T(0) && std::isfinite(scale)) {
      for (std::int64_t k = 0; k < d; k += 256) {
        T part = 0;
        const std::int64_t end = std::min(k + 256, d);
        if (p == 2) {
#pragma omp simd reduction(+ : part)
          for (std::int64_t j = k; j < end; ++j) part += (in[j] * scale) * (in[j] * scale);
        } else {
          for (std::int64_t j = k; j < end; ++j) part += unit::magnitude(in[j] * scale, p);
        }
        total += static_cast<double>(part);
      }
    }
    // A row so small that 1 / largest overflows is far below eps.
    const double norm = unit::root(total, p) * static_cast<double>(largest);
    const T bounded = largest > T(0) ? static_cast<T>(std::max(norm, eps)) : T(0);
    divisor.raw<T>()[i] = bounded;
    if (!std::isfinite(bounded)) {  // the norm alone overflows: divide in two steps
      const T rest = static_cast<T>(unit::root(total, p));
      for (std::int64_t k = 0; k < d; ++k) out[k] = in[k] / largest / rest;
      divisor.raw<T>()[i] = std::numeric_limits<T>::max();
      continue;
    }
    const T by = bounded > T(0) ? bounded : T(1);
    for (std::int64_t k = 0; k < d; ++k) out[k] = in[k] / by;
  }
}

template <class T>
void backward_rows(const Tensor& y, const Tensor& divisor, double p, double eps, const Tensor& dy,
                   Tensor& dx, std::int64_t first, std::int64_t last) {
  const std::int64_t d = y.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T *out = y.raw<T>() + i * d, *up = dy.raw<T>() + i * d;
    T* in = dx.raw<T>() + i * d;
    const T bounded = divisor.raw<T>()[i];
    if (bounded == T(0)) {
      std::fill_n(in, d, T(0));
      continue;
    }
    double along = 0;
    for (std::int64_t k = 0; bounded > T(eps) && k < d; k += 256) {
      T part = 0;
      const std::int64_t end = std::min(k + 256, d);
#pragma omp simd reduction(+ : part)
      for (std::int64_t j = k; j < end; ++j) part += out[j] * up[j];
      along += static_cast<double>(part);
    }
    const T share = static_cast<T>(along);
    if (p == 2) {
      const T by = T(1) / bounded;  // a division for every element would take as long as the memory
      if (std::isfinite(by)) {
        for (std::int64_t k = 0; k < d; ++k) in[k] = (up[k] - out[k] * share) * by;
      } else {
        for (std::int64_t k = 0; k < d; ++k) in[k] = (up[k] - out[k] * share) / bounded;
      }
    } else {
      for (std::int64_t k = 0; k < d; ++k)
        in[k] = (up[k] - unit::direction(out[k], p) * share) / bounded;
    }
  }
}

void forward_reference(Device&, const Tensor& x, double p, double eps, Tensor& y, Tensor& divisor) {
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(x, p, eps, y, divisor, first, last);
  });
}
void forward_cpu(Device& device, const Tensor& x, double p, double eps, Tensor& y,
                 Tensor& divisor) {
  threaded_lines(device, x.dim(0), x.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(x, p, eps, y, divisor, first, last);
  });
}
void backward_reference(Device&, const Tensor& y, const Tensor& divisor, double p, double eps,
                        const Tensor& dy, Tensor& dx) {
  serial_lines(y.dtype(), y.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(y, divisor, p, eps, dy, dx, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& y, const Tensor& divisor, double p, double eps,
                  const Tensor& dy, Tensor& dx) {
  threaded_lines(device, y.dim(0), y.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(y, divisor, p, eps, dy, dx, first, last);
  });
}

const bool unit_rows_added = kernel::unit_rows_fwd.add(Backend::reference, forward_reference) &&
                             kernel::unit_rows_fwd.add(Backend::cpu, forward_cpu) &&
                             kernel::unit_rows_bwd.add(Backend::reference, backward_reference) &&
                             kernel::unit_rows_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var unit_rows(const Var& x, double p, double eps) {
  return apply(UnitRows{.p = p, .eps = eps, .y = {}, .divisor = {}}, x);
}

}  // namespace dml
