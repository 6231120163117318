#pragma once
#include <limits>

#include "engine/cuda/launch.cuh"
#include "ops/own_entry.hpp"

namespace dml {
namespace own_entry {

template <class F, class T>
void cuda_values(cuda::Context& context, const F& f, const Tensor& x, const Tensor& labels,
                 const Tensor& of_class, Tensor& y) {
  const F function = f;
  const T *in = x.raw<T>(), *known_of = numbers<T>(of_class);
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* out = y.raw<T>();
  const std::int64_t c = x.dim(1);
  // Labels on the device cannot be refused; a row without a class becomes NaN.
  const T invalid = std::numeric_limits<T>::quiet_NaN();
  cuda::for_each_cell(context, x.dim(0), c, [=] __device__(std::int64_t r, std::int64_t k) {
    const T value = in[r * c + k];
    const bool known = label[r] >= 0 && label[r] < c;
    out[r * c + k] = !known          ? invalid
                     : k == label[r] ? value_of(function, value, known_of, k)
                                     : value;
  });
}

template <class F, class T>
void cuda_slopes(cuda::Context& context, const F& f, const Tensor& own, const Tensor& labels,
                 const Tensor& of_class, const Tensor& dy, Tensor& dx) {
  const F function = f;
  const T* known_of = numbers<T>(of_class);
  const T *at = own.raw<T>(), *up = dy.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = dx.raw<T>();
  const std::int64_t c = dy.dim(1);
  cuda::for_each_cell(context, dy.dim(0), c, [=] __device__(std::int64_t r, std::int64_t k) {
    to[r * c + k] =
        k == label[r] ? up[r * c + k] * slope_of(function, at[r], known_of, k) : up[r * c + k];
  });
}

template <class T>
void cuda_pick_own(cuda::Context& context, const Tensor& x, const Tensor& labels, Tensor& own) {
  const T* in = x.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = own.raw<T>();
  const std::int64_t c = x.dim(1);
  cuda::for_each(context, x.dim(0), [=] __device__(std::int64_t r) {
    const bool known = label[r] >= 0 && label[r] < c;
    to[r] = known ? in[r * c + label[r]] : T(0);
  });
}

template <class F>
void cuda_forward(Device& device, const F& f, const Tensor& x, const Tensor& labels,
                  const Tensor& of_class, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { cuda_values<F, T>(context, f, x, labels, of_class, y); });
}

template <class F>
void cuda_backward(Device& device, const F& f, const Tensor& own, const Tensor& labels,
                   const Tensor& of_class, const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dy.dtype(),
              [&]<class T>() { cuda_slopes<F, T>(context, f, own, labels, of_class, dy, dx); });
}

template <class F>
void cuda_pick(Device& device, const F&, const Tensor& x, const Tensor& labels, Tensor& own) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { cuda_pick_own<T>(context, x, labels, own); });
}

}  // namespace own_entry

/// Fills the cuda slots of OwnEntry<F> with the functor that the other backends run.
template <class F> bool add_own_entry_cuda(const char* file = __builtin_FILE()) {
  using Op = OwnEntry<F>;
  return Op::fwd.add(Backend::cuda, own_entry::cuda_forward<F>, file) &&
         Op::bwd.add(Backend::cuda, own_entry::cuda_backward<F>, file) &&
         Op::pick.add(Backend::cuda, own_entry::cuda_pick<F>, file);
}

}  // namespace dml
