#include "engine/cuda/reduce.cuh"
#include "ops/l2_normalize.hpp"

namespace dml {
namespace {

template <class T>
void normalize(cuda::Context& context, const Tensor& x, double eps, NormFloor floor, Tensor& y,
               Tensor& divisor) {
  const std::int64_t d = x.dim(1);
  const T least = static_cast<T>(eps);
  const bool maximum = floor == NormFloor::maximum;
  const T* in = x.raw<T>();
  T *out = y.raw<T>(), *divisors = divisor.raw<T>();
  cuda::for_each_row(context, x.dim(0), d, [=] __device__(std::int64_t row) {
    double square = 0;  // squares of f32 may be larger than f32 can be
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x) {
      const auto value = static_cast<double>(in[row * d + k]);
      square += value * value;
    }
    square = cuda::block_sum(square);
    const T length = static_cast<T>(std::sqrt(maximum ? square : square + eps));
    const T bounded = maximum && length < least ? least : length;
    if (threadIdx.x == 0) divisors[row] = bounded;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      out[row * d + k] = in[row * d + k] / bounded;
  });
}

template <class T>
void pull(cuda::Context& context, const Tensor& y, const Tensor& divisor, double eps,
          NormFloor floor, const Tensor& dy, Tensor& dx) {
  const std::int64_t d = y.dim(1);
  const T least = static_cast<T>(eps);
  const bool maximum = floor == NormFloor::maximum;
  const T *out = y.raw<T>(), *divisors = divisor.raw<T>(), *up = dy.raw<T>();
  T* in = dx.raw<T>();
  cuda::for_each_row(context, y.dim(0), d, [=] __device__(std::int64_t row) {
    T along = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      along += out[row * d + k] * up[row * d + k];
    along = cuda::block_sum(along);
    const T bounded = divisors[row];
    if (maximum && bounded <= least) along = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      in[row * d + k] = (up[row * d + k] - out[row * d + k] * along) / bounded;
  });
}

void forward(Device& device, const Tensor& x, double eps, NormFloor floor, Tensor& y,
             Tensor& divisor) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { normalize<T>(context, x, eps, floor, y, divisor); });
}

void backward(Device& device, const Tensor& y, const Tensor& divisor, double eps, NormFloor floor,
              const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { pull<T>(context, y, divisor, eps, floor, dy, dx); });
}

const bool l2_normalize_added = kernel::l2_normalize_fwd.add(Backend::cuda, forward) &&
                                kernel::l2_normalize_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
