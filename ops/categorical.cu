#include "engine/cuda/launch.cuh"
#include "ops/categorical.hpp"

namespace dml {
namespace {

void draw(Device& device, const Tensor& weight, const Random& source, Tensor& place,
          Tensor& found) {
  cuda::Context& context = cuda::context_of(device);
  const Random random = source;
  const CategoricalRow row{weight.dim(1)};
  std::int64_t* places = place.raw<std::int64_t>();
  visit_float(weight.dtype(), [&]<class T>() {
    const T* from = weight.raw<T>();
    T* founds = found.raw<T>();
    cuda::for_each(context, weight.dim(0), [=] __device__(std::int64_t i) {
      const std::int64_t at =
          row.draw(from + i * row.k, random.uniform(static_cast<std::uint64_t>(i)));
      places[i] = at < 0 ? 0 : at;
      founds[i] = at < 0 ? T(0) : T(1);
    });
  });
}

const bool added = kernel::categorical.add(Backend::cuda, draw);

}  // namespace
}  // namespace dml
