#include <limits>

#include "engine/cuda/reduce.cuh"
#include "ops/class_minimum.hpp"

namespace dml {
namespace {

/// One block for a class: its threads share the columns of the rows of the class.
template <class T>
void find(cuda::Context& context, const Tensor& x, const Tensor& labels, Tensor& y, Tensor& ties) {
  const T* in = x.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T *to = y.raw<T>(), *equal = ties.raw<T>();
  const std::int64_t n = x.dim(0);
  const T infinity = std::numeric_limits<T>::infinity();
  cuda::for_each_row(context, y.dim(0), n, [=] __device__(std::int64_t c) {
    T least = infinity;
    for (std::int64_t i = 0; i < n; ++i) {
      if (label[i] != c) continue;
      for (std::int64_t k = threadIdx.x; k < n; k += blockDim.x)
        if (label[k] == c && in[i * n + k] < least) least = in[i * n + k];
    }
    least = cuda::block_min(least);
    T count = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (label[i] != c) continue;
      for (std::int64_t k = threadIdx.x; k < n; k += blockDim.x)
        if (label[k] == c && in[i * n + k] == least) count += T(1);
    }
    count = cuda::block_sum(count);
    if (threadIdx.x != 0) return;
    to[c] = count == T(0) ? T(0) : least;
    equal[c] = count;
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& x, const Tensor& labels, const Tensor& y,
            const Tensor& ties, const Tensor& dy, Tensor& dx) {
  const T *in = x.raw<T>(), *least = y.raw<T>(), *equal = ties.raw<T>(), *up = dy.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = dx.raw<T>();
  const std::int64_t n = x.dim(0);
  cuda::for_each_cell(context, n, n, [=] __device__(std::int64_t i, std::int64_t k) {
    const std::int64_t c = label[i];
    const bool smallest = label[k] == c && in[i * n + k] == least[c];
    to[i * n + k] = smallest ? up[c] / equal[c] : T(0);
  });
}

void forward(Device& device, const Tensor& x, const Tensor& labels, Tensor& y, Tensor& ties) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { find<T>(context, x, labels, y, ties); });
}

void backward(Device& device, const Tensor& x, const Tensor& labels, const Tensor& y,
              const Tensor& ties, const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { slopes<T>(context, x, labels, y, ties, dy, dx); });
}

const bool class_minimum_added = kernel::class_minimum_fwd.add(Backend::cuda, forward) &&
                                 kernel::class_minimum_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
