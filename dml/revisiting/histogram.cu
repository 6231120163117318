#include "dml/revisiting/histogram.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// One block per node and kind of pair walks over all pairs: a fixed order without atomics.
template <class T>
void nodes(cuda::Context& context, const Tensor& similarity, const Tensor& labels,
           const Tensor& counts, const PairHistogram& given, Tensor& h) {
  const std::int64_t n = labels.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  const PairHistogram rule = given;
  const T *s = similarity.raw<T>(), *count = counts.raw<T>();
  T* to = h.raw<T>();
  cuda::for_each_row(context, 2 * rule.bins, n * n, [=] __device__(std::int64_t row) {
    const std::int64_t kind = row / rule.bins, r = row % rule.bins;
    double total = 0;
    for (std::int64_t at = threadIdx.x; at < n * n; at += blockDim.x) {
      const std::int64_t i = at / n, j = at % n;
      if (j <= i || (of[i] == of[j] ? 0 : 1) != kind) continue;
      total += static_cast<double>(rule.share(s[at], r));
    }
    total = cuda::block_sum(total);
    if (threadIdx.x == 0) to[row] = static_cast<T>(total) / count[kind];
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& similarity, const Tensor& labels,
            const Tensor& counts, const PairHistogram& given, const Tensor& dh, Tensor& ds) {
  const std::int64_t n = labels.dim(0);
  const std::int64_t* of = labels.raw<std::int64_t>();
  const PairHistogram rule = given;
  const T step = static_cast<T>(rule.step());
  const T *s = similarity.raw<T>(), *count = counts.raw<T>(), *all = dh.raw<T>();
  T* to = ds.raw<T>();
  cuda::for_each_cell(context, n, n, [=] __device__(std::int64_t i, std::int64_t j) {
    T slope = 0;
    if (j > i && rule.counts(s[i * n + j])) {
      const std::int64_t kind = of[i] == of[j] ? 0 : 1, k = rule.node(s[i * n + j]);
      const T* up = all + kind * rule.bins;
      slope = ((k + 1 < rule.bins ? up[k + 1] : T(0)) - up[k]) / (step * count[kind]);
    }
    to[i * n + j] = slope;
  });
}

void forward(Device& device, const Tensor& similarity, const Tensor& labels, const Tensor& counts,
             const PairHistogram& rule, Tensor& h) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(h.dtype(),
              [&]<class T>() { nodes<T>(context, similarity, labels, counts, rule, h); });
}

void backward(Device& device, const Tensor& similarity, const Tensor& labels, const Tensor& counts,
              const PairHistogram& rule, const Tensor& dh, Tensor& ds) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(ds.dtype(),
              [&]<class T>() { slopes<T>(context, similarity, labels, counts, rule, dh, ds); });
}

const bool histogram_added = kernel::pair_histogram_fwd.add(Backend::cuda, forward) &&
                             kernel::pair_histogram_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
