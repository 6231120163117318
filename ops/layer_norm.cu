#include <cmath>

#include "engine/cuda/reduce.cuh"
#include "ops/layer_norm.hpp"

namespace dml {
namespace {

template <class T>
void normalize(cuda::Context& context, const Tensor& x, double eps, Tensor& y, Tensor& inv_std) {
  const T* from = x.raw<T>();
  T *to = y.raw<T>(), *factors = inv_std.raw<T>();
  const std::int64_t d = x.dim(1);
  cuda::for_each_row(context, x.dim(0), d, [=] __device__(std::int64_t r) {
    const T* in = from + r * d;
    T sum = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x) sum += in[k];
    const T mean = cuda::block_sum(sum) / static_cast<T>(d);
    double square = 0;  // squares of f32 may be larger than f32 can be
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x) {
      const auto apart = static_cast<double>(in[k] - mean);
      square += apart * apart;
    }
    const double variance = cuda::block_sum(square) / static_cast<double>(d);
    const T factor = static_cast<T>(1 / std::sqrt(variance + eps));
    if (threadIdx.x == 0) factors[r] = factor;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      to[r * d + k] = (in[k] - mean) * factor;
  });
}

template <class T>
void pull(cuda::Context& context, const Tensor& y, const Tensor& inv_std, const Tensor& dy,
          Tensor& dx) {
  const T *out = y.raw<T>(), *up = dy.raw<T>(), *factors = inv_std.raw<T>();
  T* to = dx.raw<T>();
  const std::int64_t d = y.dim(1);
  cuda::for_each_row(context, y.dim(0), d, [=] __device__(std::int64_t r) {
    T sum = 0, product = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x) {
      sum += up[r * d + k];
      product += up[r * d + k] * out[r * d + k];
    }
    const T mean = cuda::block_sum(sum) / static_cast<T>(d);
    const T along = cuda::block_sum(product) / static_cast<T>(d);
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      to[r * d + k] = factors[r] * (up[r * d + k] - mean - out[r * d + k] * along);
  });
}

void forward(Device& device, const Tensor& x, double eps, Tensor& y, Tensor& inv_std) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { normalize<T>(context, x, eps, y, inv_std); });
}
void backward(Device& device, const Tensor& y, const Tensor& inv_std, const Tensor& dy,
              Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { pull<T>(context, y, inv_std, dy, dx); });
}

const bool layer_norm_added = kernel::layer_norm_fwd.add(Backend::cuda, forward) &&
                              kernel::layer_norm_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
