#include "engine/cuda/launch.cuh"
#include "ops/slice.hpp"

namespace dml {
namespace {

/// Copies n slices of each outer block between a packed side and a side with `length` slices, from
/// `first` on, `step` apart; `out` says which way.
template <class T>
void move(cuda::Context& context, const Tensor& x, const Axis& view, std::int64_t first,
          std::int64_t step, std::int64_t n, bool out, Tensor& y) {
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t length = view.length, inner = view.inner;
  cuda::for_each_cell(
      context, view.outer * n, inner, [=] __device__(std::int64_t r, std::int64_t k) {
        const std::int64_t packed = r * inner + k;
        const std::int64_t spaced = (r / n * length + first + r % n * step) * inner + k;
        to[out ? packed : spaced] = from[out ? spaced : packed];
      });
}

void slice(Device& device, const Tensor& x, const Axis& view, std::int64_t first, std::int64_t step,
           std::int64_t n, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { move<T>(context, x, view, first, step, n, true, y); });
}
void unslice(Device& device, const Tensor& x, const Axis& view, std::int64_t first,
             std::int64_t step, std::int64_t n, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { move<T>(context, x, view, first, step, n, false, y); });
}

const bool slice_added =
    kernel::slice.add(Backend::cuda, slice) && kernel::unslice.add(Backend::cuda, unslice);

}  // namespace
}  // namespace dml
