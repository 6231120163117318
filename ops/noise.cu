#include "engine/cuda/launch.cuh"
#include "ops/noise.hpp"

namespace dml {
namespace {

template <class T> void fill_rows(cuda::Context& context, const NoiseRows& given, Tensor& y) {
  const NoiseRows rows = given;
  const std::int64_t width = y.dim(1);
  T* to = y.raw<T>();
  cuda::for_each_cell(context, y.dim(0), width, [=] __device__(std::int64_t i, std::int64_t k) {
    to[i * width + k] = static_cast<T>(rows.value(i, k));
  });
}

void fill(Device& device, const NoiseRows& rows, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { fill_rows<T>(context, rows, y); });
}

const bool noise_added = kernel::noise.add(Backend::cuda, fill);

}  // namespace
}  // namespace dml
