#include "engine/cuda/reduce.cuh"
#include "ops/euclidean.hpp"

namespace dml {
namespace {

/// Euclidean as pointers.
template <class T> struct Rows {
  const T *a, *b, *aa, *bb;
  std::int64_t n, q, d;
  double power;
  bool self;

  explicit Rows(const Euclidean& in)
      : a(in.a.raw<T>()),
        b(in.b.raw<T>()),
        aa(in.squares_a.raw<T>()),
        bb(in.squares_b.raw<T>()),
        n(in.a.dim(0)),
        q(in.b.dim(0)),
        d(in.a.dim(1)),
        power(in.power),
        self(in.self) {}

  /// 2 dy dy/dsquared of entry (i, j) if it is near (or not), else 0.
  __device__ T weight(const T* y, const T* up, std::int64_t i, std::int64_t j, bool near) const {
    const T v = y[i * q + j];
    const bool is = Euclidean::is_near(Euclidean::squared_of(v, power), aa[i], bb[j]);
    return is == near ? 2 * up[i * q + j] * Euclidean::slope(v, power) : T(0);
  }
};

template <class T> void squares(cuda::Context& context, const Tensor& x, Tensor& out) {
  const std::int64_t d = x.dim(1);
  const T* in = x.raw<T>();
  T* to = out.raw<T>();
  cuda::for_each_row(context, x.dim(0), d, [=] __device__(std::int64_t i) {
    double sum = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      sum += static_cast<double>(in[i * d + k]) * static_cast<double>(in[i * d + k]);
    sum = cuda::block_sum(sum);
    if (threadIdx.x == 0) to[i] = static_cast<T>(sum);
  });
}

template <class T> void distances(cuda::Context& context, const Euclidean& in, Tensor& y) {
  const Rows<T> of(in);
  T* out = y.raw<T>();
  cuda::for_each_cell(context, of.n, of.q, [=] __device__(std::int64_t i, std::int64_t j) {
    T squared = of.aa[i] + of.bb[j] - 2 * out[i * of.q + j];
    squared = squared > T(0) ? squared : T(0);
    if (of.self && i == j) squared = T(0);
    if (Euclidean::is_near(squared, of.aa[i], of.bb[j]) && !(of.self && i == j)) {
      double exact = 0;
      for (std::int64_t k = 0; k < of.d; ++k) {
        const T apart = of.a[i * of.d + k] - of.b[j * of.d + k];
        exact += static_cast<double>(apart) * static_cast<double>(apart);
      }
      squared = static_cast<T>(exact);
    }
    out[i * of.q + j] = Euclidean::raise(squared, of.power);
  });
}

template <class T>
void weigh(cuda::Context& context, const Euclidean& in, const Tensor& y, const Tensor& dy,
           Tensor& weights, Tensor& near) {
  const Rows<T> of(in);
  const T *all = y.raw<T>(), *up = dy.raw<T>();
  T* out = weights.raw<T>();
  std::uint8_t* flags = near.raw<std::uint8_t>();
  cuda::for_each_row(context, of.n, of.q, [=] __device__(std::int64_t i) {
    int found = 0;
    for (std::int64_t j = threadIdx.x; j < of.q; j += blockDim.x) {
      out[i * of.q + j] = of.weight(all, up, i, j, false);
      const T squared = Euclidean::squared_of(all[i * of.q + j], of.power);
      // A little wider than is_near: (i, j) and (j, i) may differ in the last digit.
      const bool diagonal = of.self && i == j;
      if (squared < T(0.011) * (of.aa[i] + of.bb[j]) && !diagonal) found = 1;
    }
    found = cuda::block_max(found);
    if (threadIdx.x == 0) flags[i] = static_cast<std::uint8_t>(found);
  });
}

template <class T>
void finish(cuda::Context& context, const Euclidean& in, const Tensor& y, const Tensor& dy,
            const Tensor& sums, const Tensor& near, bool of_b, Tensor& dx) {
  const Rows<T> of(in);
  const T *all = y.raw<T>(), *up = dy.raw<T>(), *sum = sums.raw<T>();
  const std::uint8_t* flags = near.raw<std::uint8_t>();
  T* out = dx.raw<T>();
  const std::int64_t rows = of_b ? of.q : of.n, others = of_b ? of.n : of.q, d = of.d;
  cuda::for_each_row(context, rows, d, [=] __device__(std::int64_t i) {
    const T *own = (of_b ? of.b : of.a) + i * d, *rest = of_b ? of.a : of.b;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      out[i * d + k] = sum[i] * own[k] - out[i * d + k];
    if (!of_b && flags[i] == 0) return;
    for (std::int64_t j = 0; j < others; ++j) {
      if (of_b ? flags[j] == 0 : of.self && i == j) continue;
      T w = of_b ? of.weight(all, up, j, i, true) : of.weight(all, up, i, j, true);
      if (of.self) w += of.weight(all, up, j, i, true);
      if (w == T(0)) continue;
      for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
        out[i * d + k] += w * (own[k] - rest[j * d + k]);
    }
  });
}

void squares_cuda(Device& device, const Tensor& x, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { squares<T>(context, x, out); });
}
void distances_cuda(Device& device, const Euclidean& in, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { distances<T>(context, in, y); });
}
void weights_cuda(Device& device, const Euclidean& in, const Tensor& y, const Tensor& dy,
                  Tensor& weights, Tensor& near) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { weigh<T>(context, in, y, dy, weights, near); });
}
void finish_cuda(Device& device, const Euclidean& in, const Tensor& y, const Tensor& dy,
                 const Tensor& sums, const Tensor& near, bool of_b, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { finish<T>(context, in, y, dy, sums, near, of_b, dx); });
}

const bool euclidean_added = kernel::row_squares.add(Backend::cuda, squares_cuda) &&
                             kernel::euclidean_fwd.add(Backend::cuda, distances_cuda) &&
                             kernel::euclidean_weights.add(Backend::cuda, weights_cuda) &&
                             kernel::euclidean_finish.add(Backend::cuda, finish_cuda);

}  // namespace
}  // namespace dml
