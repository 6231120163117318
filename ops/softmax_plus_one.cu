#include "engine/cuda/reduce.cuh"
#include "ops/softmax_plus_one.hpp"

namespace dml {
namespace {

template <class T>
void run(cuda::Context& context, const Tensor& in, const Axis& view, Tensor& out) {
  const T* x = in.raw<T>();
  T* y = out.raw<T>();
  const std::int64_t n = view.length;
  if (n == 0) return;
  cuda::for_each_row(context, view.outer, n, [=] __device__(std::int64_t row) {
    const T* from = x + row * n;
    T* to = y + row * n;
    T most = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
      most = from[i] > most ? from[i] : most;
    most = cuda::block_max(most);
    T total = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      to[i] = std::exp(from[i] - most);
      total += to[i];
    }
    total = cuda::block_sum(total) + std::exp(-most);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) to[i] /= total;
  });
}

void forward(Device& device, const Tensor& x, const Axis& view, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { run<T>(context, x, view, y); });
}

const bool softmax_plus_one_added = kernel::softmax_plus_one.add(Backend::cuda, forward);

}  // namespace
}  // namespace dml
