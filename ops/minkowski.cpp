#include "ops/minkowski.hpp"

#include <algorithm>

#include "ops/lines.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// dy/da_k = sign(t) |t / y|^(p-1),  t = a_k - b_k
struct Minkowski {
  double p;
  Tensor a, b, y;  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& left, const Tensor& right) {
    a = device.dense(left);
    b = device.dense(right);
    y = device.empty({a.dim(0), b.dim(0)}, a.dtype());
    kernel::minkowski_fwd(device, a, b, p, y);
    return y;
  }
  Grads<2> backward(Device& device, const Tensor& gradient, std::array<bool, 2> wanted) const {
    const Tensor dy = device.dense(gradient);
    Grads<2> all;
    if (wanted[0]) {
      all[0] = device.empty(a.shape(), a.dtype());
      kernel::minkowski_bwd(device, a, b, p, y, dy, false, all[0]);
    }
    if (wanted[1]) {
      all[1] = device.empty(b.shape(), b.dtype());
      kernel::minkowski_bwd(device, b, a, p, y, dy, true, all[1]);
    }
    return all;
  }
};

template <class T>
void forward_rows(const Tensor& a, const Tensor& b, double p, Tensor& y, std::int64_t first,
                  std::int64_t last) {
  const std::int64_t q = b.dim(0), d = a.dim(1);
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t j = 0; j < q; ++j) {
      const T *u = a.raw<T>() + i * d, *v = b.raw<T>() + j * d;
      double total = 0;
      for (std::int64_t k = 0; k < d; ++k)
        total += static_cast<double>(unit::magnitude(u[k] - v[k], p));
      y.raw<T>()[i * q + j] = static_cast<T>(unit::root(total, p));
    }
}

template <class T>
void backward_rows(const Tensor& a, const Tensor& b, double p, const Tensor& y, const Tensor& dy,
                   bool transposed, Tensor& da, std::int64_t first, std::int64_t last) {
  const std::int64_t n = a.dim(0), q = b.dim(0), d = a.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T* u = a.raw<T>() + i * d;
    T* out = da.raw<T>() + i * d;
    std::fill_n(out, d, T(0));
    for (std::int64_t j = 0; j < q; ++j) {
      const std::int64_t at = transposed ? j * n + i : i * q + j;
      const T distance = y.raw<T>()[at], up = dy.raw<T>()[at];
      if (!(distance > T(0)) || up == T(0)) continue;
      const T* v = b.raw<T>() + j * d;
      for (std::int64_t k = 0; k < d; ++k)
        out[k] += up * unit::direction((u[k] - v[k]) / distance, p);
    }
  }
}

void forward_reference(Device&, const Tensor& a, const Tensor& b, double p, Tensor& y) {
  serial_lines(a.dtype(), a.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(a, b, p, y, first, last);
  });
}
void forward_cpu(Device& device, const Tensor& a, const Tensor& b, double p, Tensor& y) {
  threaded_lines(device, a.dim(0), b.size(), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(a, b, p, y, first, last);
  });
}
void backward_reference(Device&, const Tensor& a, const Tensor& b, double p, const Tensor& y,
                        const Tensor& dy, bool transposed, Tensor& da) {
  serial_lines(a.dtype(), a.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(a, b, p, y, dy, transposed, da, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& a, const Tensor& b, double p, const Tensor& y,
                  const Tensor& dy, bool transposed, Tensor& da) {
  threaded_lines(device, a.dim(0), b.size(), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(a, b, p, y, dy, transposed, da, first, last);
  });
}

const bool minkowski_added = kernel::minkowski_fwd.add(Backend::reference, forward_reference) &&
                             kernel::minkowski_fwd.add(Backend::cpu, forward_cpu) &&
                             kernel::minkowski_bwd.add(Backend::reference, backward_reference) &&
                             kernel::minkowski_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var minkowski(const Var& a, const Var& b, double p) {
  DML_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(1),
            "minkowski: rows of " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                "; [n, d] and [q, d] are needed");
  return apply(Minkowski{.p = p, .a = {}, .b = {}, .y = {}}, a, b);
}

}  // namespace dml
