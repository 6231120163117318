#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Equidistant nodes -1, -1 + width, .. of a histogram of cosines.
struct HistogramNodes {
  std::int64_t count = 0;
  double width = 0;

  /// Between which two nodes a similarity lies, and how far from the lower one to the upper one.
  /// 1 belongs to the last node.
  struct At {
    std::int64_t low;
    double share;
  };
  template <class T> DML_HOST_DEVICE At of(T similarity) const {
    const double most = static_cast<double>(count - 1);
    double u = (static_cast<double>(similarity) + 1) / width;
    u = u < 0 ? 0 : u > most ? most : u;
    const auto node = static_cast<std::int64_t>(u);
    const std::int64_t low = node < count - 2 ? node : count - 2;
    return {low, u - static_cast<double>(low)};
  }
};

/// The probability that a random negative pair is more similar than a random positive one, both
/// from linear soft histograms: sum_r h-_r sum_(q <= r) h+_q. 0 when a side is empty.
/// @param similarity  [n, n], symmetric.
/// @param relation    [n, n] f32. Unordered pairs count once: (i, j) is in when (i, j) or (j, i)
/// is.
/// @return            []
Var histogram_overlap(const Var& similarity, const Tensor& relation, HistogramNodes nodes);

namespace kernel {
/// What the kernels below share.
struct HistogramInputs {
  Tensor relation{};    ///< [n, n] f32
  Tensor histograms{};  ///< [2, count] f64: sums of the positive and of the negative pairs
  Tensor slopes{};      ///< [2, count] f64: gradient of the loss by those sums
  HistogramNodes nodes{};
};
/// Fills in.histograms.
inline constinit Kernel<void(const Tensor& similarity, const HistogramInputs& in)> pair_histograms{
    "pair histograms"};
/// loss [] from in.histograms; fills in.slopes.
inline constinit Kernel<void(const HistogramInputs& in, Tensor& loss)> histogram_overlap{
    "histogram overlap"};
/// dsimilarity [n, n] from in.slopes; 0 below the diagonal.
inline constinit Kernel<void(const Tensor& similarity, const HistogramInputs& in, const Tensor& up,
                             Tensor& dsimilarity)>
    pair_histograms_bwd{"pair histograms backward"};
}  // namespace kernel

/// The part of the kernels that all backends share.
namespace pairs {

/// 1 where the unordered pair is positive, -1 where negative, else 0.
DML_HOST_DEVICE inline int kind_of_pair(const float* relation, std::int64_t n, std::int64_t i,
                                        std::int64_t j) {
  const float a = relation[i * n + j], b = relation[j * n + i];
  return a > 0 || b > 0 ? 1 : a < 0 || b < 0 ? -1 : 0;
}

/// The loss and its gradient by the entries of both histograms.
DML_HOST_DEVICE inline double overlap(const double* histograms, std::int64_t count,
                                      double* slopes) {
  const double *own = histograms, *other = histograms + count;
  double positives = 0, negatives = 0;
  for (std::int64_t r = 0; r < count; ++r) {
    positives += own[r];
    negatives += other[r];
  }
  const bool empty = !(positives > 0) || !(negatives > 0);
  const double scale = empty ? 0 : 1 / (positives * negatives);
  double loss = 0, below = 0, above = negatives;
  for (std::int64_t r = 0; r < count; ++r) {
    below += own[r];
    loss += scale * other[r] * below;
    slopes[r] = scale * above;
    slopes[count + r] = scale * below;
    above -= other[r];
  }
  return loss;
}

}  // namespace pairs
}  // namespace dml
