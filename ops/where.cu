#include "engine/cuda/launch.cuh"
#include "ops/where.hpp"

namespace dml {
namespace {

template <class T>
void choose(cuda::Context& context, const Tensor& mask, const Tensor& a, const Tensor& b,
            Tensor& y) {
  const std::uint8_t* set = mask.raw<std::uint8_t>();
  const T *left = a.raw<T>(), *right = b.raw<T>();
  T* to = y.raw<T>();
  cuda::for_each(context, y.size(),
                 [=] __device__(std::int64_t i) { to[i] = set[i] != 0 ? left[i] : right[i]; });
}

template <class T>
void fill(cuda::Context& context, const Tensor& x, const Tensor& mask, bool when, double value,
          Tensor& y) {
  const std::uint8_t* set = mask.raw<std::uint8_t>();
  const T *from = x.raw<T>(), filler = static_cast<T>(value);
  T* to = y.raw<T>();
  cuda::for_each(context, y.size(), [=] __device__(std::int64_t i) {
    to[i] = (set[i] != 0) == when ? filler : from[i];
  });
}

void where(Device& device, const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { choose<T>(context, mask, a, b, y); });
}
void masked_fill(Device& device, const Tensor& x, const Tensor& mask, bool when, double value,
                 Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { fill<T>(context, x, mask, when, value, y); });
}

const bool where_added =
    kernel::where.add(Backend::cuda, where) && kernel::masked_fill.add(Backend::cuda, masked_fill);

}  // namespace
}  // namespace dml
