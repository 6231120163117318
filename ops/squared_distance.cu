#include "engine/cuda/launch.cuh"
#include "ops/squared_distance.hpp"

namespace dml {
namespace {

template <class T>
void distances(cuda::Context& context, const Tensor& a, const Tensor& b, Tensor& y) {
  const T *left = a.raw<T>(), *right = b.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t m = b.dim(0), d = a.dim(1);
  cuda::for_each_cell(context, a.dim(0), m, [=] __device__(std::int64_t i, std::int64_t j) {
    T total = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      const T difference = left[i * d + k] - right[j * d + k];
      total += difference * difference;
    }
    to[i * m + j] = total;
  });
}

template <class T>
void pull(cuda::Context& context, const Tensor& a, const Tensor& b, const Tensor& dy,
          bool transposed, Tensor& da) {
  const T *left = a.raw<T>(), *right = b.raw<T>(), *up = dy.raw<T>();
  T* to = da.raw<T>();
  const std::int64_t n = a.dim(0), m = b.dim(0), d = a.dim(1);
  cuda::for_each_cell(context, n, d, [=] __device__(std::int64_t i, std::int64_t k) {
    const T own = left[i * d + k];
    T total = 0;
    for (std::int64_t j = 0; j < m; ++j)
      total += 2 * (transposed ? up[j * n + i] : up[i * m + j]) * (own - right[j * d + k]);
    to[i * d + k] = total;
  });
}

void forward(Device& device, const Tensor& a, const Tensor& b, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { distances<T>(context, a, b, y); });
}
void backward(Device& device, const Tensor& a, const Tensor& b, const Tensor& dy, bool transposed,
              Tensor& da) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { pull<T>(context, a, b, dy, transposed, da); });
}

const bool squared_distance_added = kernel::squared_distance_fwd.add(Backend::cuda, forward) &&
                                    kernel::squared_distance_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
