#include "dml/miners/distance_weighting.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

template <class T>
void rows(cuda::Context& context, const Tensor& distance, const Tensor& labels,
          const Tensor& others, const DistanceWeighting& given, Tensor& p) {
  const std::int64_t m = distance.dim(1);
  const std::int64_t *own = labels.raw<std::int64_t>(), *of = others.raw<std::int64_t>();
  const DistanceWeighting rule = given;
  const T* d = distance.raw<T>();
  T* to = p.raw<T>();
  cuda::for_each(context, p.dim(0), [=] __device__(std::int64_t i) {
    rule.row(d + i * m, of, m, own[i], to + i * m);
  });
}

void table(Device& device, const Tensor& distance, const Tensor& labels, const Tensor& others,
           const DistanceWeighting& rule, Tensor& p) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(p.dtype(), [&]<class T>() { rows<T>(context, distance, labels, others, rule, p); });
}

const bool distance_weighting_added = kernel::distance_weighting.add(Backend::cuda, table);

}  // namespace
}  // namespace dml
