#include "engine/cuda/launch.cuh"
#include "ops/permute.hpp"

namespace dml {
namespace {

/// For each axis of y its length, and how far apart in x its elements lie.
struct Steps {
  int rank;
  std::int64_t length[Permutation::most], step[Permutation::most];
};

Steps steps_of(const Tensor& x, const Permutation& p, const Tensor& y) {
  Steps steps{p.rank, {}, {}};
  for (int i = 0; i < p.rank; ++i) {
    std::int64_t stride = 1;
    for (int k = p.order[static_cast<std::size_t>(i)] + 1; k < p.rank; ++k) stride *= x.dim(k);
    steps.length[i] = y.dim(i);
    steps.step[i] = stride;
  }
  return steps;
}

template <class T>
void move(cuda::Context& context, const Tensor& x, const Permutation& p, Tensor& y) {
  const Steps steps = steps_of(x, p, y);
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  cuda::for_each(context, y.size(), [=] __device__(std::int64_t at) {
    std::int64_t rest = at, source = 0;
    for (int i = steps.rank - 1; i >= 0; --i) {
      source += rest % steps.length[i] * steps.step[i];
      rest /= steps.length[i];
    }
    to[at] = from[source];
  });
}

void permute(Device& device, const Tensor& x, const Permutation& p, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { move<T>(context, x, p, y); });
}

const bool permute_added = kernel::permute.add(Backend::cuda, permute);

}  // namespace
}  // namespace dml
