#include "ops/squared_distance.hpp"

#include "ops/lines.hpp"

namespace dml {
namespace {

/// da_i = 2 sum_j dy_ij (a_i - b_j),   db_j = 2 sum_i dy_ij (b_j - a_i)
struct SquaredDistance {
  Tensor a{}, b{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& left, const Tensor& right) {
    a = device.dense(left);
    b = device.dense(right);
    Tensor y = device.empty({a.dim(0), b.dim(0)}, a.dtype());
    kernel::squared_distance_fwd(device, a, b, y);
    return y;
  }
  Grads<2> backward(Device& device, const Tensor& dy, std::array<bool, 2> wanted) const {
    const Tensor up = device.dense(dy);
    Tensor da, db;
    if (wanted[0]) {
      da = device.empty(a.shape(), a.dtype());
      kernel::squared_distance_bwd(device, a, b, up, false, da);
    }
    if (wanted[1]) {
      db = device.empty(b.shape(), b.dtype());
      kernel::squared_distance_bwd(device, b, a, up, true, db);
    }
    return {da, db};
  }
};

template <class T>
void forward_rows(const Tensor& a, const Tensor& b, Tensor& y, std::int64_t first,
                  std::int64_t last) {
  const std::int64_t m = b.dim(0), d = a.dim(1);
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t j = 0; j < m; ++j) {
      const T *p = a.raw<T>() + i * d, *q = b.raw<T>() + j * d;
      T total = 0;
      for (std::int64_t k = 0; k < d; ++k) total += (p[k] - q[k]) * (p[k] - q[k]);
      y.raw<T>()[i * m + j] = total;
    }
}

template <class T>
void backward_rows(const Tensor& a, const Tensor& b, const Tensor& dy, bool transposed, Tensor& da,
                   std::int64_t first, std::int64_t last) {
  const std::int64_t n = a.dim(0), m = b.dim(0), d = a.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T* p = a.raw<T>() + i * d;
    T* out = da.raw<T>() + i * d;
    std::fill_n(out, d, T(0));
    for (std::int64_t j = 0; j < m; ++j) {
      const T* q = b.raw<T>() + j * d;
      const T twice = 2 * (transposed ? dy.raw<T>()[j * n + i] : dy.raw<T>()[i * m + j]);
      for (std::int64_t k = 0; k < d; ++k) out[k] += twice * (p[k] - q[k]);
    }
  }
}

void forward_reference(Device&, const Tensor& a, const Tensor& b, Tensor& y) {
  serial_lines(a.dtype(), a.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(a, b, y, first, last);
  });
}
void forward_cpu(Device& device, const Tensor& a, const Tensor& b, Tensor& y) {
  threaded_lines(device, a.dim(0), b.size(), [&]<class T>(std::int64_t first, std::int64_t last) {
    forward_rows<T>(a, b, y, first, last);
  });
}
void backward_reference(Device&, const Tensor& a, const Tensor& b, const Tensor& dy,
                        bool transposed, Tensor& da) {
  serial_lines(a.dtype(), a.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(a, b, dy, transposed, da, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& a, const Tensor& b, const Tensor& dy,
                  bool transposed, Tensor& da) {
  threaded_lines(device, a.dim(0), b.size(), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(a, b, dy, transposed, da, first, last);
  });
}

const bool squared_distance_added =
    kernel::squared_distance_fwd.add(Backend::reference, forward_reference) &&
    kernel::squared_distance_fwd.add(Backend::cpu, forward_cpu) &&
    kernel::squared_distance_bwd.add(Backend::reference, backward_reference) &&
    kernel::squared_distance_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var squared_distance(const Var& a, const Var& b) {
  DML_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(1),
            "squared_distance: rows of " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                "; [n, d] and [m, d] are needed");
  return apply(SquaredDistance{}, a, b);
}

}  // namespace dml
