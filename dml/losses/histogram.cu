#include "dml/losses/histogram.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// What a thread adds to one entry of both histograms.
struct Two {
  double own, other;
  static __device__ Two none() { return {0, 0}; }
  __device__ void merge(const Two& more) {
    own += more.own;
    other += more.other;
  }
};

/// Columns are nodes, rows are rows of the matrix: every cell goes through its row.
template <class T>
void collect_pairs(cuda::Context& context, const Tensor& similarity,
                   const kernel::HistogramInputs& in) {
  const std::int64_t n = similarity.dim(0), count = in.nodes.count;
  const T* s = similarity.raw<T>();
  const float* relation = in.relation.raw<float>();
  double* bins = in.histograms.raw<double>();
  const HistogramNodes nodes = in.nodes;
  cuda::reduce_columns<Two>(
      context, n, count,
      [=] __device__(Two & two, std::int64_t i, std::int64_t node) {
        for (std::int64_t j = i + 1; j < n; ++j) {
          const HistogramNodes::At at = nodes.of(s[i * n + j]);
          if (at.low != node && at.low + 1 != node) continue;
          const int kind = pairs::kind_of_pair(relation, n, i, j);
          const double share = at.low == node ? 1 - at.share : at.share;
          two.own += kind > 0 ? share : 0;
          two.other += kind < 0 ? share : 0;
        }
      },
      [=] __device__(const Two& two, std::int64_t node) {
        bins[node] = two.own;
        bins[count + node] = two.other;
      });
}

void collect(Device& device, const Tensor& similarity, const kernel::HistogramInputs& in) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(similarity.dtype(), [&]<class T>() { collect_pairs<T>(context, similarity, in); });
}

template <class T>
void overlap_of(cuda::Context& context, const kernel::HistogramInputs& in, Tensor& loss) {
  const double* bins = in.histograms.raw<double>();
  double* slopes = in.slopes.raw<double>();
  const std::int64_t count = in.nodes.count;
  T* out = loss.raw<T>();
  cuda::for_each(context, 1, [=] __device__(std::int64_t) {
    *out = static_cast<T>(pairs::overlap(bins, count, slopes));
  });
}

void overlap(Device& device, const kernel::HistogramInputs& in, Tensor& loss) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(loss.dtype(), [&]<class T>() { overlap_of<T>(context, in, loss); });
}

template <class T>
void gather_slopes(cuda::Context& context, const Tensor& similarity,
                   const kernel::HistogramInputs& in, const Tensor& up, Tensor& dsimilarity) {
  const std::int64_t n = similarity.dim(0), count = in.nodes.count;
  const T *s = similarity.raw<T>(), *dy = up.raw<T>();
  const float* relation = in.relation.raw<float>();
  const double* slopes = in.slopes.raw<double>();
  const HistogramNodes nodes = in.nodes;
  T* to = dsimilarity.raw<T>();
  cuda::for_each_cell(context, n, n, [=] __device__(std::int64_t i, std::int64_t j) {
    const int kind = j > i ? pairs::kind_of_pair(relation, n, i, j) : 0;
    const double* slope = slopes + (kind > 0 ? 0 : count) + nodes.of(s[i * n + j]).low;
    const double scale = kind == 0 ? 0 : static_cast<double>(*dy) / nodes.width;
    to[i * n + j] = static_cast<T>(scale * (slope[1] - slope[0]));
  });
}

void scatter(Device& device, const Tensor& similarity, const kernel::HistogramInputs& in,
             const Tensor& up, Tensor& dsimilarity) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(similarity.dtype(),
              [&]<class T>() { gather_slopes<T>(context, similarity, in, up, dsimilarity); });
}

const bool histogram_added = kernel::pair_histograms.add(Backend::cuda, collect) &&
                             kernel::histogram_overlap.add(Backend::cuda, overlap) &&
                             kernel::pair_histograms_bwd.add(Backend::cuda, scatter);

}  // namespace
}  // namespace dml
