#include "engine/cuda/launch.cuh"
#include "ops/dropout.hpp"

namespace dml {
namespace {

template <class T> void draw(cuda::Context& context, double p, const Random& source, Tensor& mask) {
  T* to = mask.raw<T>();
  const Random random = source;
  const T kept = static_cast<T>(1 / (1 - p));
  const float bound = static_cast<float>(p);
  cuda::for_each(context, mask.size(), [=] __device__(std::int64_t i) {
    to[i] = random.uniform_float(static_cast<std::uint64_t>(i)) >= bound ? kept : T(0);
  });
}

void dropout_mask(Device& device, double p, const Random& random, Tensor& mask) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(mask.dtype(), [&]<class T>() { draw<T>(context, p, random, mask); });
}

const bool dropout_added = kernel::dropout_mask.add(Backend::cuda, dropout_mask);

}  // namespace
}  // namespace dml
