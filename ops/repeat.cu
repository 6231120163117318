#include "engine/cuda/launch.cuh"
#include "ops/repeat.hpp"

namespace dml {
namespace {

template <class T>
void spread(cuda::Context& context, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  const T factor = static_cast<T>(scale);
  const std::int64_t length = view.length, inner = view.inner;
  cuda::for_each_cell(context, view.outer * length, inner,
                      [=] __device__(std::int64_t r, std::int64_t k) {
                        to[r * inner + k] = factor * from[r / length * inner + k];
                      });
}

void repeat(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { spread<T>(context, x, view, scale, y); });
}

const bool repeat_added = kernel::repeat.add(Backend::cuda, repeat);

}  // namespace
}  // namespace dml
