#include "dml/losses/n_pairs.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {

template <class T>
void find_pairs(cuda::Context& context, const Tensor& relation, const Tensor& classes,
                Tensor& partner, Tensor& chosen) {
  const std::int64_t n = relation.dim(0);
  const float* in = relation.raw<float>();
  const std::int64_t* of = classes.raw<std::int64_t>();
  T *with = partner.raw<T>(), *is = chosen.raw<T>();
  const cuda::Temporary memory(context, static_cast<std::size_t>(n) * sizeof(std::int64_t));
  std::int64_t* const first = memory.as<std::int64_t>();
  cuda::for_each_row(context, n, n, [=] __device__(std::int64_t i) {
    std::int64_t lowest = n;
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x)
      if (in[i * n + j] > 0 && j < lowest) lowest = j;
    lowest = cuda::block_min(lowest);
    if (threadIdx.x == 0) first[i] = lowest;
  });
  cuda::for_each(context, n, [=] __device__(std::int64_t i) {
    bool taken = first[i] == n;
    for (std::int64_t k = 0; k < i && !taken; ++k) taken = of[k] == of[i] && first[k] < n;
    with[i] = taken ? T(-1) : static_cast<T>(first[i]);
  });
  cuda::for_each(context, n, [=] __device__(std::int64_t j) {
    bool found = false;
    for (std::int64_t i = 0; i < n; ++i) found = found || with[i] == static_cast<T>(j);
    is[j] = found ? T(1) : T(0);
  });
}

void first_pairs(Device& device, const Tensor& relation, const Tensor& classes, Tensor& partner,
                 Tensor& chosen) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(partner.dtype(),
              [&]<class T>() { find_pairs<T>(context, relation, classes, partner, chosen); });
}

const bool n_pairs_added =
    add_row_loss_cuda<NPairsRow>() && kernel::first_pairs.add(Backend::cuda, first_pairs);

}  // namespace
}  // namespace dml
