#include "engine/cuda/reduce.cuh"
#include "ops/minkowski.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

template <class T>
void forward(cuda::Context& context, const Tensor& a, const Tensor& b, double p, Tensor& y) {
  const std::int64_t q = b.dim(0), d = a.dim(1);
  const T *left = a.raw<T>(), *right = b.raw<T>();
  T* out = y.raw<T>();
  cuda::for_each_row(context, a.dim(0) * q, d, [=] __device__(std::int64_t cell) {
    const T *u = left + cell / q * d, *v = right + cell % q * d;
    double total = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      total += static_cast<double>(unit::magnitude(u[k] - v[k], p));
    total = cuda::block_sum(total);
    if (threadIdx.x == 0) out[cell] = static_cast<T>(unit::root(total, p));
  });
}

template <class T>
void backward(cuda::Context& context, const Tensor& a, const Tensor& b, double p, const Tensor& y,
              const Tensor& dy, bool transposed, Tensor& da) {
  const std::int64_t n = a.dim(0), q = b.dim(0), d = a.dim(1);
  const T *left = a.raw<T>(), *right = b.raw<T>(), *distances = y.raw<T>(), *up = dy.raw<T>();
  T* out = da.raw<T>();
  cuda::for_each_cell(context, n, d, [=] __device__(std::int64_t i, std::int64_t k) {
    T sum = 0;
    for (std::int64_t j = 0; j < q; ++j) {
      const std::int64_t at = transposed ? j * n + i : i * q + j;
      const T distance = distances[at];
      if (!(distance > T(0)) || up[at] == T(0)) continue;
      sum += up[at] * unit::direction((left[i * d + k] - right[j * d + k]) / distance, p);
    }
    out[i * d + k] = sum;
  });
}

void forward_cuda(Device& device, const Tensor& a, const Tensor& b, double p, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { forward<T>(context, a, b, p, y); });
}
void backward_cuda(Device& device, const Tensor& a, const Tensor& b, double p, const Tensor& y,
                   const Tensor& dy, bool transposed, Tensor& da) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(a.dtype(), [&]<class T>() { backward<T>(context, a, b, p, y, dy, transposed, da); });
}

const bool minkowski_added = kernel::minkowski_fwd.add(Backend::cuda, forward_cuda) &&
                             kernel::minkowski_bwd.add(Backend::cuda, backward_cuda);

}  // namespace
}  // namespace dml
