#include "engine/cuda/launch.cuh"
#include "ops/class_logsumexp.hpp"

namespace dml {
namespace {

/// One thread for a column: neighbours read neighbouring columns.
template <class T>
void sums(cuda::Context& context, const Tensor& x, const Tensor& labels, ClassSide side,
          Tensor& y) {
  const T* in = x.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = y.raw<T>();
  const std::int64_t n = x.dim(0), c = x.dim(1);
  const bool own = side == ClassSide::own;
  cuda::for_each(context, c, [=] __device__(std::int64_t k) {
    T most = 0;
    for (std::int64_t i = 0; i < n; ++i)
      if ((label[i] == k) == own && in[i * c + k] > most) most = in[i * c + k];
    double rest = 0;
    for (std::int64_t i = 0; i < n; ++i)
      if ((label[i] == k) == own) rest += static_cast<double>(std::exp(in[i * c + k] - most));
    // log1p keeps the digits of sums that are small beside the 1.
    to[k] = most == T(0)
                ? static_cast<T>(std::log1p(rest))
                : most + static_cast<T>(std::log(rest + static_cast<double>(std::exp(-most))));
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& x, const Tensor& labels, ClassSide side,
            const Tensor& y, const Tensor& dy, Tensor& dx) {
  const T *in = x.raw<T>(), *total = y.raw<T>(), *up = dy.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = dx.raw<T>();
  const std::int64_t c = x.dim(1);
  const bool own = side == ClassSide::own;
  cuda::for_each_cell(context, x.dim(0), c, [=] __device__(std::int64_t i, std::int64_t k) {
    const bool counts = (label[i] == k) == own;
    to[i * c + k] = counts ? up[k] * std::exp(in[i * c + k] - total[k]) : T(0);
  });
}

void forward(Device& device, const Tensor& x, const Tensor& labels, ClassSide side, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { sums<T>(context, x, labels, side, y); });
}

void backward(Device& device, const Tensor& x, const Tensor& labels, ClassSide side,
              const Tensor& y, const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { slopes<T>(context, x, labels, side, y, dy, dx); });
}

const bool class_logsumexp_added = kernel::class_logsumexp_fwd.add(Backend::cuda, forward) &&
                                   kernel::class_logsumexp_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
