#include "dml/lm_metric/rows.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

using lm::PrecisionRow;
using lm::SmoothRank;

/// The sums of an item over the others, by a whole block: of its class, and of all.
template <class T> struct Ranks { T same, all; };

template <class T>
__device__ Ranks<T> ranks_of(const T* s, const std::int64_t* labels, std::int64_t n,
                             std::int64_t own, const SmoothRank& rank, std::int64_t i) {
  T same = 0, all = 0;
  for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) {
    if (j == i) continue;
    const T step = rank.step(s[j], s[i]);
    all += step;
    if (labels[j] == own) same += step;
  }
  return {cuda::block_sum(same), cuda::block_sum(all)};
}

template <class T>
__device__ T relevant_of(const std::int64_t* labels, std::int64_t n, std::int64_t own) {
  T count = 0;
  for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x)
    if (labels[j] == own) count += T(1);
  return cuda::block_sum(count);
}

template <class T>
void values(cuda::Context& context, const Tensor& similarity, const Tensor& phi,
            const Tensor& labels, const SmoothRank& given, Tensor& ap) {
  const std::int64_t n = labels.dim(0);
  const T *all = similarity.raw<T>(), *weight = phi.raw<T>();
  const std::int64_t* of = labels.raw<std::int64_t>();
  T* to = ap.raw<T>();
  const SmoothRank rank = given;
  cuda::for_each_row(context, n, n, [=] __device__(std::int64_t q) {
    const T* s = all + q * n;
    T total = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (of[i] != of[q]) continue;
      const Ranks<T> ranks = ranks_of(s, of, n, of[q], rank, i);
      total += (1 + ranks.same) / (1 + weight[i] * ranks.all);
    }
    const T count = relevant_of<T>(of, n, of[q]);
    if (threadIdx.x == 0) to[q] = total / count;
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& similarity, const Tensor& phi,
            const Tensor& labels, const SmoothRank& given, const Tensor& dap, Tensor& dsimilarity,
            Tensor& dphi) {
  const std::int64_t n = labels.dim(0);
  const T *all = similarity.raw<T>(), *weight = phi.raw<T>(), *up = dap.raw<T>();
  const std::int64_t* of = labels.raw<std::int64_t>();
  T *to = dsimilarity.raw<T>(), *to_phi = dphi.defined() ? dphi.raw<T>() : nullptr;
  const SmoothRank rank = given;
  cuda::for_each_row(context, n, n, [=] __device__(std::int64_t q) {
    const T* s = all + q * n;
    T* ds = to + q * n;
    const T share = up[q] / relevant_of<T>(of, n, of[q]);
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) {
      ds[j] = 0;
      if (to_phi != nullptr) to_phi[q * n + j] = 0;
    }
    // Every column of ds is written by one thread alone, so nothing has to wait.
    for (std::int64_t i = 0; i < n; ++i) {
      if (of[i] != of[q]) continue;
      const Ranks<T> ranks = ranks_of(s, of, n, of[q], rank, i);
      const T inverse = 1 / (1 + weight[i] * ranks.all);
      const T by_all = -share * weight[i] * (1 + ranks.same) * inverse * inverse;
      const T by_same = by_all + share * inverse;
      T total = 0;
      for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        if (j == i) continue;
        const T g = (of[j] == of[q] ? by_same : by_all) * rank.slope(s[j], s[i]);
        ds[j] += g;
        total += g;
      }
      total = cuda::block_sum(total);
      if (i % static_cast<std::int64_t>(blockDim.x) != static_cast<std::int64_t>(threadIdx.x))
        continue;
      ds[i] -= total;
      if (to_phi != nullptr)
        to_phi[q * n + i] = -share * (1 + ranks.same) * ranks.all * inverse * inverse;
    }
  });
}

void forward(Device& device, const Tensor& similarity, const Tensor& phi, const Tensor& labels,
             const SmoothRank& rank, Tensor& ap) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(ap.dtype(),
              [&]<class T>() { values<T>(context, similarity, phi, labels, rank, ap); });
}

void backward(Device& device, const Tensor& similarity, const Tensor& phi, const Tensor& labels,
              const SmoothRank& rank, const Tensor& dap, Tensor& dsimilarity, Tensor& dphi) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dap.dtype(), [&]<class T>() {
    slopes<T>(context, similarity, phi, labels, rank, dap, dsimilarity, dphi);
  });
}

template <class T>
void precisions(cuda::Context& context, const Tensor& similarity, const Tensor& labels,
                Tensor& result) {
  const PrecisionRow row{labels.dim(0)};
  const std::int64_t* of = labels.raw<std::int64_t>();
  const T* s = similarity.raw<T>();
  T* to = result.raw<T>();
  cuda::for_each(context, row.n,
                 [=] __device__(std::int64_t q) { to[q] = row.value(s + q * row.n, of, of[q]); });
}

void precision(Device& device, const Tensor& similarity, const Tensor& labels, Tensor& result) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(result.dtype(),
              [&]<class T>() { precisions<T>(context, similarity, labels, result); });
}

const bool rows_added = kernel::weighted_smooth_ap_fwd.add(Backend::cuda, forward) &&
                        kernel::weighted_smooth_ap_bwd.add(Backend::cuda, backward) &&
                        kernel::batch_precision.add(Backend::cuda, precision);

}  // namespace
}  // namespace dml
