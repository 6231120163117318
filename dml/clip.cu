#include <cmath>

#include "dml/clip.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// Sum of |g|^power and largest |g|; NaN is not lost in either.
struct Sizes {
  double sum, most;
  static __device__ Sizes none() { return {0, 0}; }
  __device__ void add(double power_sum, double size) {
    sum += power_sum;
    if (size > most || size != size) most = size;
  }
  __device__ void merge(const Sizes& other) { add(other.sum, other.most); }
};

template <class T>
void measure(cuda::Context& context, std::span<const Tensor> gradients, double power,
             Tensor& result) {
  const cuda::Temporary memory(context, (gradients.size() + 1) * sizeof(Sizes));
  Sizes* const sizes = memory.as<Sizes>();
  const bool largest = std::isinf(power);
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    const T* g = gradients[t].raw<T>();
    Sizes* const to = sizes + t;
    cuda::reduce_all<Sizes>(
        context, gradients[t].size(),
        [=] __device__(Sizes & part, std::int64_t i) {
          const double size = std::fabs(static_cast<double>(g[i]));
          part.add(power == 2   ? size * size
                   : power == 1 ? size
                   : largest    ? 0.0
                                : std::pow(size, power),
                   size);
        },
        [=] __device__(const Sizes& total) { *to = total; });
  }
  T* norm = result.raw<T>();
  cuda::reduce_all<Sizes>(
      context, static_cast<std::int64_t>(gradients.size()),
      [=] __device__(Sizes & part, std::int64_t t) { part.merge(sizes[t]); },
      [=] __device__(const Sizes& total) {
        *norm = static_cast<T>(largest ? total.most : std::pow(total.sum, 1 / power));
      });
}

template <class T>
void shrink(cuda::Context& context, const Tensor& norm, double most,
            std::span<const Tensor> gradients) {
  const T* total = norm.raw<T>();
  for (const Tensor& gradient : gradients) {
    T* g = gradient.raw<T>();
    cuda::for_each(context, gradient.size(), [=] __device__(std::int64_t i) {
      const double factor = most / (static_cast<double>(*total) + 1e-6);
      if (!(factor >= 1)) g[i] *= static_cast<T>(factor);  // a NaN goes on, so that it shows
    });
  }
}

template <class T>
void cut_all(cuda::Context& context, double most, std::span<const Tensor> gradients) {
  const T bound = static_cast<T>(most);
  for (const Tensor& gradient : gradients) {
    T* g = gradient.raw<T>();
    cuda::for_each(context, gradient.size(), [=] __device__(std::int64_t i) {
      g[i] = g[i] > bound ? bound : g[i] < -bound ? -bound : g[i];
    });
  }
}

void norm(Device& device, std::span<const Tensor> gradients, double power, Tensor& result) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(result.dtype(), [&]<class T>() { measure<T>(context, gradients, power, result); });
}
void scale(Device& device, const Tensor& total, double most, std::span<const Tensor> gradients) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(total.dtype(), [&]<class T>() { shrink<T>(context, total, most, gradients); });
}
void cut(Device& device, double most, std::span<const Tensor> gradients) {
  if (gradients.empty()) return;
  cuda::Context& context = cuda::context_of(device);
  visit_float(gradients[0].dtype(), [&]<class T>() { cut_all<T>(context, most, gradients); });
}

const bool clip_added = kernel::gradient_norm.add(Backend::cuda, norm) &&
                        kernel::scale_gradients.add(Backend::cuda, scale) &&
                        kernel::cut_gradients.add(Backend::cuda, cut);

}  // namespace
}  // namespace dml
