#include "engine/accumulate.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

template <class T> void add(cuda::Context& context, const Tensor& a, const Tensor& b, Tensor& out) {
  const T *x = a.raw<T>(), *y = b.raw<T>();
  T* z = out.raw<T>();
  if (a.packed() && b.packed() && out.packed()) {
    cuda::for_each(context, out.size(), [=] __device__(std::int64_t i) {
      z[i] = static_cast<T>(static_cast<Work<T>>(x[i]) + static_cast<Work<T>>(y[i]));
    });
    return;
  }
  const std::int64_t x_pitch = a.pitch(), y_pitch = b.pitch(), z_pitch = out.pitch();
  cuda::for_each_cell(
      context, out.row_count(), out.row_length(), [=] __device__(std::int64_t r, std::int64_t c) {
        z[r * z_pitch + c] = static_cast<T>(static_cast<Work<T>>(x[r * x_pitch + c]) +
                                            static_cast<Work<T>>(y[r * y_pitch + c]));
      });
}

void accumulate(Device& device, const Tensor& a, const Tensor& b, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(out.dtype(), [&]<class T>() { add<T>(context, a, b, out); });
}

const bool accumulate_added = kernel::accumulate.add(Backend::cuda, accumulate) &&
                              kernel::accumulate.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
