#pragma once
#include "engine/cuda/launch.cuh"
#include "ops/pointwise.hpp"

namespace dml {
namespace pointwise {

template <class F, class T>
void cuda_values(cuda::Context& context, const F& f, const Tensor& x, Tensor& y) {
  const F function = f;
  const T* in = x.raw<T>();
  T* out = y.raw<T>();
  cuda::for_each(context, x.size(),
                 [=] __device__(std::int64_t i) { out[i] = function.value(in[i]); });
}

template <class F, class T>
void cuda_slopes(cuda::Context& context, const F& f, const Tensor& x, const Tensor& y,
                 const Tensor& dy, Tensor& dx) {
  const F function = f;
  const T *in = x.raw<T>(), *out = y.raw<T>(), *up = dy.raw<T>();
  T* to = dx.raw<T>();
  cuda::for_each(context, x.size(),
                 [=] __device__(std::int64_t i) { to[i] = up[i] * function.slope(in[i], out[i]); });
}

template <class F> void cuda_forward(Device& device, const F& f, const Tensor& x, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { cuda_values<F, T>(context, f, x, y); });
}

template <class F>
void cuda_backward(Device& device, const F& f, const Tensor& x, const Tensor& y, const Tensor& dy,
                   Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { cuda_slopes<F, T>(context, f, x, y, dy, dx); });
}

}  // namespace pointwise

/// Fills the cuda slots of Pointwise<F> with the functor that the other backends run.
template <class F> bool add_pointwise_cuda(const char* file = __builtin_FILE()) {
  using Op = Pointwise<F>;
  return Op::fwd.add(Backend::cuda, pointwise::cuda_forward<F>, file) &&
         Op::bwd.add(Backend::cuda, pointwise::cuda_backward<F>, file);
}

}  // namespace dml
