#include <cfloat>

#include "engine/cuda/reduce.cuh"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

template <class T>
void forward(cuda::Context& context, const Tensor& x, double p, double eps, Tensor& y,
             Tensor& divisor) {
  const std::int64_t d = x.dim(1);
  const T* in = x.raw<T>();
  T *out = y.raw<T>(), *by = divisor.raw<T>();
  cuda::for_each_row(context, x.dim(0), d, [=] __device__(std::int64_t i) {
    const T* row = in + i * d;
    T most = 0;
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      most = abs(row[k]) > most ? abs(row[k]) : most;
    most = cuda::block_max(most);
    const T scale = most > T(0) ? T(1) / most : T(0);
    double total = 0;
    if (isfinite(scale))
      for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
        total += static_cast<double>(unit::magnitude(row[k] * scale, p));
    const double root = unit::root(cuda::block_sum(total), p);
    const double norm = root * static_cast<double>(most);
    T bounded = most > T(0) ? static_cast<T>(norm > eps ? norm : eps) : T(0);
    const bool two_steps = !isfinite(bounded);
    if (two_steps) bounded = sizeof(T) == 4 ? T(FLT_MAX) : T(DBL_MAX);
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
      out[i * d + k] = two_steps        ? row[k] / most / static_cast<T>(root)
                       : bounded > T(0) ? row[k] / bounded
                                        : row[k];
    if (threadIdx.x == 0) by[i] = bounded;
  });
}

template <class T>
void backward(cuda::Context& context, const Tensor& y, const Tensor& divisor, double p, double eps,
              const Tensor& dy, Tensor& dx) {
  const std::int64_t d = y.dim(1);
  const T *out = y.raw<T>(), *up = dy.raw<T>(), *by = divisor.raw<T>();
  T* in = dx.raw<T>();
  cuda::for_each_row(context, y.dim(0), d, [=] __device__(std::int64_t i) {
    const T bounded = by[i];
    double part = 0;
    if (bounded > T(eps))
      for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x)
        part += static_cast<double>(out[i * d + k]) * static_cast<double>(up[i * d + k]);
    const T along = static_cast<T>(cuda::block_sum(part));
    for (std::int64_t k = threadIdx.x; k < d; k += blockDim.x) {
      const std::int64_t at = i * d + k;
      in[at] = bounded == T(0) ? T(0) : (up[at] - unit::direction(out[at], p) * along) / bounded;
    }
  });
}

void forward_cuda(Device& device, const Tensor& x, double p, double eps, Tensor& y,
                  Tensor& divisor) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { forward<T>(context, x, p, eps, y, divisor); });
}
void backward_cuda(Device& device, const Tensor& y, const Tensor& divisor, double p, double eps,
                   const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { backward<T>(context, y, divisor, p, eps, dy, dx); });
}

const bool unit_rows_added = kernel::unit_rows_fwd.add(Backend::cuda, forward_cuda) &&
                             kernel::unit_rows_bwd.add(Backend::cuda, backward_cuda);

}  // namespace
}  // namespace dml
