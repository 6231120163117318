#include "ops/euclidean.hpp"

#include <algorithm>

#include "ops/lines.hpp"
#include "ops/matmul.hpp"
#include "ops/mix_rows.hpp"
#include "ops/self_product.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// With w_ij = 2 dy_ij dy/dsquared:  da_i = sum_j w_ij (a_i - b_j),  db_j = sum_i w_ij (b_j - a_i).
struct EuclideanOp {
  Euclidean in;
  Tensor y{};

  Tensor distances(Device& device) {
    in.squares_a = device.empty({in.a.dim(0)}, in.a.dtype());
    kernel::row_squares(device, in.a, in.squares_a);
    in.squares_b = in.squares_a;
    if (!in.self) {
      in.squares_b = device.empty({in.b.dim(0)}, in.b.dtype());
      kernel::row_squares(device, in.b, in.squares_b);
    }
    y = device.empty({in.a.dim(0), in.b.dim(0)}, in.a.dtype());
    if (in.self) {
      kernel::self_product(device, in.a, y);
    } else {
      kernel::matmul(device, in.a, in.b, {false, true}, 1, 0, y);
    }
    kernel::euclidean_fwd(device, in, y);
    return y;
  }

  Tensor forward(Device& device, const Tensor& x) {
    in.a = in.b = device.dense(x);
    in.self = true;
    return distances(device);
  }
  Tensor forward(Device& device, const Tensor& left, const Tensor& right) {
    in.a = device.dense(left);
    in.b = device.dense(right);
    return distances(device);
  }

  template <std::size_t N>
  Grads<N> backward(Device& device, const Tensor& gradient, std::array<bool, N> wanted) const {
    const Tensor dy = device.dense(gradient);
    Grads<N> all;
    if (in.self) {
      all[0] = device.empty(in.a.shape(), in.a.dtype());
      kernel::euclidean_self_gradient(device, in, y, dy, all[0]);
      return all;
    }
    const DType type = y.dtype();
    Tensor weights = device.empty(y.shape(), type);
    Tensor near = device.empty({y.dim(0)}, DType::u8);
    kernel::euclidean_weights(device, in, y, dy, weights, near);
    if (wanted[0]) {
      Tensor sums = device.empty({y.dim(0)}, type);
      kernel::sum(device, weights, axis_of(y.shape(), 1, "euclidean"), 1, sums);
      all[0] = device.empty(in.a.shape(), type);
      kernel::mix_rows(device, weights, in.b, all[0]);
      kernel::euclidean_finish(device, in, y, dy, sums, near, false, all[0]);
    }
    if constexpr (N == 2) {
      if (wanted[1]) {
        Tensor columns = device.empty({y.dim(1)}, type);
        kernel::sum(device, weights, axis_of(y.shape(), 0, "euclidean"), 1, columns);
        all[1] = device.empty(in.b.shape(), type);
        kernel::matmul(device, weights, in.a, {true, false}, 1, 0, all[1]);
        kernel::euclidean_finish(device, in, y, dy, columns, near, true, all[1]);
      }
    }
    return all;
  }
};

/// Sums of a row in blocks: the adds of a block go side by side, the blocks in f64.
template <class T, class Term> double sum_of(std::int64_t n, const Term term) {
  double total = 0;
  for (std::int64_t k = 0; k < n; k += 256) {
    T part = 0;
    const std::int64_t end = std::min(k + 256, n);
#pragma omp simd reduction(+ : part)
    for (std::int64_t j = k; j < end; ++j) part += term(j);
    total += static_cast<double>(part);
  }
  return total;
}

template <class T> T exact(const T* p, const T* q, std::int64_t d) {
  return static_cast<T>(
      sum_of<T>(d, [=](std::int64_t k) { return (p[k] - q[k]) * (p[k] - q[k]); }));
}

template <class T>
void square_rows(const Tensor& x, Tensor& squares, std::int64_t first, std::int64_t last) {
  const std::int64_t d = x.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    const T* row = x.raw<T>() + i * d;
    squares.raw<T>()[i] = static_cast<T>(sum_of<T>(d, [row](auto k) { return row[k] * row[k]; }));
  }
}

template <class T>
void distance_rows(const Euclidean& in, Tensor& y, std::int64_t first, std::int64_t last) {
  const std::int64_t q = y.dim(1), d = in.a.dim(1);
  const T *aa = in.squares_a.raw<T>(), *bb = in.squares_b.raw<T>();
  for (std::int64_t i = first; i < last; ++i) {
    T* row = y.raw<T>() + i * q;
    const T own = aa[i];
    if (in.self) row[i] = -T(HUGE_VALF);  // no near entry: what it is needs no look
    T nearest = 1;  // the smallest squared distance less its bound; negative: some entry is near
#pragma omp simd reduction(min : nearest)
    for (std::int64_t j = 0; j < q; ++j) {
      const T squared = std::max(T(0), own + bb[j] - 2 * row[j]);
      nearest = std::min(nearest, squared - T(0.01) * (own + bb[j]));
      row[j] = squared;
    }
    if (nearest < T(0))
      for (std::int64_t j = 0; j < q; ++j)
        if (Euclidean::is_near(row[j], own, bb[j]))
          row[j] = exact(in.a.raw<T>() + i * d, in.b.raw<T>() + j * d, d);
    if (in.self) row[i] = 0;
    if (in.power == 2) continue;
    if (in.power == 1) {
#pragma omp simd
      for (std::int64_t j = 0; j < q; ++j) row[j] = std::sqrt(row[j]);
    } else {
      for (std::int64_t j = 0; j < q; ++j) row[j] = Euclidean::raise(row[j], in.power);
    }
  }
}

/// 2 dy dy/dsquared where the entry is not near, else 0.
template <class T> T weight(const Euclidean& in, T y, T dy, T aa, T bb, bool near_entries) {
  const bool near = Euclidean::is_near(Euclidean::squared_of(y, in.power), aa, bb);
  return near == near_entries ? 2 * dy * Euclidean::slope(y, in.power) : T(0);
}

/// Whether row i has a near entry off the diagonal. The bound is a little wider: entry (j, i) of a
/// row's own column may differ from (i, j) in the last digit.
template <class T>
bool has_near(const Euclidean& in, const T* row, T own, const T* other, std::int64_t q) {
  std::int32_t found = 0;  // as wide as a float, for the vectors
  if (in.power == 1 || in.power == 2) {
    const bool root = in.power == 1;
#pragma omp simd reduction(+ : found)
    for (std::int64_t j = 0; j < q; ++j) {
      const T squared = root ? row[j] * row[j] : row[j];
      found += squared < T(0.011) * (own + other[j]) ? 1 : 0;
    }
  } else {
    for (std::int64_t j = 0; j < q; ++j)
      found += Euclidean::squared_of(row[j], in.power) < T(0.011) * (own + other[j]) ? 1 : 0;
  }
  return found > (in.self && own > T(0) ? 1 : 0);  // the diagonal is one
}

template <class T>
void weight_rows(const Euclidean& in, const Tensor& y, const Tensor& dy, Tensor& weights,
                 Tensor& near, std::int64_t first, std::int64_t last) {
  const std::int64_t q = y.dim(1);
  const T* other = in.squares_b.raw<T>();
  const bool squared = in.power == 2;
  for (std::int64_t i = first; i < last; ++i) {
    const T *row = y.raw<T>() + i * q, *up = dy.raw<T>() + i * q, own = in.squares_a.raw<T>()[i];
    T* out = weights.raw<T>() + i * q;
    if (squared) {
#pragma omp simd
      for (std::int64_t j = 0; j < q; ++j)
        out[j] = Euclidean::is_near(row[j], own, other[j]) ? T(0) : 2 * up[j];
    } else if (in.power == 1) {
#pragma omp simd
      for (std::int64_t j = 0; j < q; ++j) {
        const T v = row[j];
        const T slope = v > T(0) ? T(1) / v : T(0);
        out[j] = Euclidean::is_near(v * v, own, other[j]) ? T(0) : up[j] * slope;
      }
    } else {
      for (std::int64_t j = 0; j < q; ++j) out[j] = weight(in, row[j], up[j], own, other[j], false);
    }
    near.raw<std::uint8_t>()[i] = has_near(in, row, own, other, q) ? 1 : 0;
  }
}

/// out += w (own - other)
template <class T> void pull(T w, const T* own, const T* other, std::int64_t d, T* out) {
  for (std::int64_t k = 0; k < d; ++k) out[k] += w * (own[k] - other[k]);
}

template <class T>
void finish_rows(const Euclidean& in, const Tensor& y, const Tensor& dy, const Tensor& sums,
                 const Tensor& near, bool of_b, Tensor& dx, std::int64_t first, std::int64_t last) {
  const std::int64_t n = y.dim(0), q = y.dim(1), d = in.a.dim(1);
  const T *a = in.a.raw<T>(), *b = in.b.raw<T>(), *all = y.raw<T>(), *up = dy.raw<T>();
  const T *aa = in.squares_a.raw<T>(), *bb = in.squares_b.raw<T>();
  const auto near_weight = [&](std::int64_t r, std::int64_t c) {
    return weight(in, all[r * q + c], up[r * q + c], aa[r], bb[c], true);
  };
  for (std::int64_t i = first; i < last; ++i) {
    const T* own = (of_b ? b : a) + i * d;
    T* out = dx.raw<T>() + i * d;
    const T sum = sums.raw<T>()[i];
    for (std::int64_t k = 0; k < d; ++k) out[k] = sum * own[k] - out[k];
    if (of_b) {
      for (std::int64_t r = 0; r < n; ++r)
        if (near.raw<std::uint8_t>()[r] != 0)
          if (const T w = near_weight(r, i); w != T(0)) pull(w, own, a + r * d, d, out);
      continue;
    }
    if (near.raw<std::uint8_t>()[i] == 0) continue;
    for (std::int64_t j = 0; j < q; ++j) {
      if (in.self && i == j) continue;
      const T w = near_weight(i, j) + (in.self ? near_weight(j, i) : T(0));
      if (w != T(0)) pull(w, own, b + j * d, d, out);
    }
  }
}

/// The form of all kernels here: lines on one thread (reference) or on those of the device (cpu).
template <bool threaded, class Body>
void lines(Device& device, DType type, std::int64_t n, std::int64_t work, const Body& body) {
  if constexpr (threaded) {
    threaded_lines(device, n, work, body);
  } else {
    serial_lines(type, n, body);
  }
}

template <bool threaded> void squares(Device& device, const Tensor& x, Tensor& out) {
  lines<threaded>(
      device, x.dtype(), x.dim(0), x.dim(1),
      [&]<class T>(std::int64_t first, std::int64_t last) { square_rows<T>(x, out, first, last); });
}
template <bool threaded> void distances(Device& device, const Euclidean& in, Tensor& y) {
  lines<threaded>(device, y.dtype(), y.dim(0), y.dim(1),
                  [&]<class T>(std::int64_t first, std::int64_t last) {
                    distance_rows<T>(in, y, first, last);
                  });
}
template <bool threaded>
void all_weights(Device& device, const Euclidean& in, const Tensor& y, const Tensor& dy,
                 Tensor& weights, Tensor& near) {
  lines<threaded>(device, y.dtype(), y.dim(0), y.dim(1),
                  [&]<class T>(std::int64_t first, std::int64_t last) {
                    weight_rows<T>(in, y, dy, weights, near, first, last);
                  });
}
template <bool threaded>
void finish(Device& device, const Euclidean& in, const Tensor& y, const Tensor& dy,
            const Tensor& sums, const Tensor& near, bool of_b, Tensor& dx) {
  lines<threaded>(device, y.dtype(), dx.dim(0), dx.dim(1),
                  [&]<class T>(std::int64_t first, std::int64_t last) {
                    finish_rows<T>(in, y, dy, sums, near, of_b, dx, first, last);
                  });
}

template <class K, class F> bool add(K& kernel, F reference, F cpu) {
  return kernel.add(Backend::reference, reference, __FILE__) &&
         kernel.add(Backend::cpu, cpu, __FILE__);
}
const bool euclidean_added =
    add(kernel::row_squares, squares<false>, squares<true>) &&
    add(kernel::euclidean_fwd, distances<false>, distances<true>) &&
    add(kernel::euclidean_weights, all_weights<false>, all_weights<true>) &&
    add(kernel::euclidean_finish, finish<false>, finish<true>) &&
    kernel::euclidean_self_gradient.add(Backend::reference, euclidean_self_gradient_by_product,
                                        __FILE__) &&
    kernel::euclidean_self_gradient.add(Backend::cuda, euclidean_self_gradient_by_product,
                                        __FILE__);

}  // namespace

void euclidean_self_gradient_by_product(Device& device, const Euclidean& in, const Tensor& y,
                                        const Tensor& dy, Tensor& dx) {
  Tensor weights = device.empty(y.shape(), y.dtype());
  Tensor near = device.empty({y.dim(0)}, DType::u8);
  Tensor sums = device.empty({y.dim(0)}, y.dtype());
  kernel::euclidean_weights(device, in, y, dy, weights, near);
  kernel::add_transposed(device, weights, weights);
  kernel::sum(device, weights, axis_of(y.shape(), 1, "euclidean"), 1, sums);
  kernel::mix_rows(device, weights, in.b, dx);
  kernel::euclidean_finish(device, in, y, dy, sums, near, false, dx);
}

Var euclidean(const Var& a, const Var& b, double power) {
  DML_CHECK(a.rank() == 2 && b.rank() == 2 && a.dim(1) == b.dim(1),
            "euclidean: rows of " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                "; [n, d] and [q, d] are needed");
  return apply(EuclideanOp{.in = {.power = power}}, a, b);
}

Var euclidean(const Var& x, double power) {
  DML_CHECK(x.rank() == 2, "euclidean: x must be [n, d], not " + to_string(x.shape()));
  return apply(EuclideanOp{.in = {.power = power}}, x);
}

}  // namespace dml
