#include "dml/revisiting/miners.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace {

template <class T>
void rows(cuda::Context& context, const Tensor& distance, const Tensor& labels,
          const revisiting::ChoiceRow& given, const Tensor& positive, const Tensor& bins,
          Tensor& p) {
  const std::int64_t n = distance.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  const std::int64_t* chosen = positive.defined() ? positive.raw<std::int64_t>() : nullptr;
  const revisiting::ChoiceRow rule = given;
  const T *d = distance.raw<T>(), *weights = bins.defined() ? bins.raw<T>() : nullptr;
  T* to = p.raw<T>();
  cuda::for_each(context, n, [=] __device__(std::int64_t i) {
    rule.row(d + i * n, of, n, i, chosen == nullptr ? i : chosen[i], weights, to + i * n);
  });
}

void table(Device& device, const Tensor& distance, const Tensor& labels,
           const revisiting::ChoiceRow& rule, const Tensor& positive, const Tensor& bins,
           Tensor& p) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(p.dtype(),
              [&]<class T>() { rows<T>(context, distance, labels, rule, positive, bins, p); });
}

const bool miners_added = kernel::miner_choices.add(Backend::cuda, table);

}  // namespace
}  // namespace dml
