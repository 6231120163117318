#include "engine/cuda/launch.cuh"
#include "ops/categorical.hpp"

namespace dml {
namespace {

template <class T>
void draw_rows(cuda::Context& context, const Tensor& weight, const Random& source, Tensor& place,
               Tensor& found) {
  const Random random = source;
  const CategoricalRow row{weight.dim(1)};
  const T* from = weight.raw<T>();
  std::int64_t* places = place.raw<std::int64_t>();
  T* founds = found.raw<T>();
  cuda::for_each(context, weight.dim(0), [=] __device__(std::int64_t i) {
    const std::int64_t at =
        row.draw(from + i * row.k, random.uniform(static_cast<std::uint64_t>(i)));
    places[i] = at < 0 ? 0 : at;
    founds[i] = at < 0 ? T(0) : T(1);
  });
}

void draw(Device& device, const Tensor& weight, const Random& random, Tensor& place,
          Tensor& found) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(weight.dtype(),
              [&]<class T>() { draw_rows<T>(context, weight, random, place, found); });
}

const bool categorical_added = kernel::categorical.add(Backend::cuda, draw);

}  // namespace
}  // namespace dml
