#include "dml/miners/distance_weighting.hpp"

#include "ops/lines.hpp"

namespace dml {
namespace {

template <class T>
void rows(const Tensor& distance, const Tensor& labels, const Tensor& others,
          const DistanceWeighting& rule, Tensor& p, std::int64_t first, std::int64_t last) {
  const std::int64_t m = distance.dim(1);
  for (std::int64_t i = first; i < last; ++i)
    rule.row(distance.raw<T>() + i * m, others.raw<std::int64_t>(), m,
             labels.raw<std::int64_t>()[i], p.raw<T>() + i * m);
}

void reference(Device&, const Tensor& distance, const Tensor& labels, const Tensor& others,
               const DistanceWeighting& rule, Tensor& p) {
  serial_lines(p.dtype(), p.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    rows<T>(distance, labels, others, rule, p, first, last);
  });
}
void fast(Device& device, const Tensor& distance, const Tensor& labels, const Tensor& others,
          const DistanceWeighting& rule, Tensor& p) {
  threaded_lines(device, p.dim(0), 32 * p.dim(1),
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   rows<T>(distance, labels, others, rule, p, first, last);
                 });
}

const bool distance_weighting_added =
    kernel::distance_weighting.add(Backend::reference, reference) &&
    kernel::distance_weighting.add(Backend::cpu, fast);

}  // namespace
}  // namespace dml
