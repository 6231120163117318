#include "engine/cuda/launch.cuh"
#include "ops/noise.hpp"

namespace dml {
namespace {

void fill(Device& device, const NoiseRows& given, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  const NoiseRows rows = given;
  const std::int64_t width = y.dim(1);
  visit_float(y.dtype(), [&]<class T>() {
    T* to = y.raw<T>();
    cuda::for_each_cell(context, y.dim(0), width, [=] __device__(std::int64_t i, std::int64_t k) {
      to[i * width + k] = static_cast<T>(rows.value(i, k));
    });
  });
}

const bool added = kernel::noise.add(Backend::cuda, fill);

}  // namespace
}  // namespace dml
