#pragma once
#include "engine/cuda/launch.cuh"
#include "ops/binary.hpp"

namespace dml {
namespace binary {

template <class F, class T>
void cuda_values(cuda::Context& context, const F& f, const Tensor& a, const Tensor& b, Tensor& y) {
  const F function = f;
  const T *left = a.raw<T>(), *right = b.raw<T>();
  T* to = y.raw<T>();
  cuda::for_each(context, a.size(),
                 [=] __device__(std::int64_t i) { to[i] = function.value(left[i], right[i]); });
}

template <class F, class T>
void cuda_slopes(cuda::Context& context, const F& f, const Tensor& a, const Tensor& b,
                 const Tensor& dy, Tensor& da, Tensor& db) {
  const F function = f;
  const T *left = a.raw<T>(), *right = b.raw<T>(), *up = dy.raw<T>();
  T* to_a = da.defined() ? da.raw<T>() : nullptr;
  T* to_b = db.defined() ? db.raw<T>() : nullptr;
  cuda::for_each(context, a.size(), [=] __device__(std::int64_t i) {
    const T l = left[i], r = right[i], u = up[i];
    if (to_a != nullptr) to_a[i] = u * function.slope_a(l, r);
    if (to_b != nullptr) to_b[i] = u * function.slope_b(l, r);
  });
}

template <class F>
void cuda_forward(Device& device, const F& f, const Tensor& a, const Tensor& b, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { cuda_values<F, T>(context, f, a, b, y); });
}

template <class F>
void cuda_backward(Device& device, const F& f, const Tensor& a, const Tensor& b, const Tensor& dy,
                   Tensor& da, Tensor& db) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { cuda_slopes<F, T>(context, f, a, b, dy, da, db); });
}

}  // namespace binary

/// Fills the cuda slots of Binary<F> with the functor that the other backends run.
template <class F> bool add_binary_cuda(const char* file = __builtin_FILE()) {
  using Op = Binary<F>;
  return Op::fwd.add(Backend::cuda, binary::cuda_forward<F>, file) &&
         Op::bwd.add(Backend::cuda, binary::cuda_backward<F>, file);
}

}  // namespace dml
