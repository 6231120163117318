#include "engine/cuda/launch.cuh"
#include "ops/inverse.hpp"

namespace dml {
namespace {

template <class T>
void eliminate(cuda::Context& context, const Tensor& x, double* work, Tensor& inverse,
               Tensor& log_det) {
  const GaussJordan elimination{x.dim(0)};
  const T* from = x.raw<T>();
  T *to = inverse.raw<T>(), *number = log_det.raw<T>();
  cuda::for_each(context, 1,
                 [=] __device__(std::int64_t) { elimination.invert(from, work, to, number); });
}

void invert(Device& device, const Tensor& x, Tensor& inverse, Tensor& log_det) {
  cuda::Context& context = cuda::context_of(device);
  const cuda::Temporary memory(context, static_cast<std::size_t>(2 * x.size()) * sizeof(double));
  visit_float(x.dtype(),
              [&]<class T>() { eliminate<T>(context, x, memory.as<double>(), inverse, log_det); });
}

const bool inverse_added = kernel::invert.add(Backend::cuda, invert);

}  // namespace
}  // namespace dml
