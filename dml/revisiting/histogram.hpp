#pragma once
#include "engine/kernel.hpp"

namespace dml {

/// Histograms of the pairs i < j of a similarity matrix with linear assignment to R nodes
/// t_r = -1 + r step, step = 2 / (R - 1): with k = trunc((s + 1) / step), the share (t_k + step -
/// s) / step goes to node k and (s - t_k) / step to node k + 1, where it exists. What is no
/// cosine counts at an end and gets no gradient.
struct PairHistogram {
  std::int64_t bins;

  double step() const { return 2 / static_cast<double>(bins - 1); }
  /// The lower node of s.
  template <class T> DML_HOST_DEVICE std::int64_t node(T s) const {
    const T width = 2 / static_cast<T>(bins - 1);
    const T place = (s + 1) / width;
    if (!(place > T(0))) return 0;
    // Compared as it is: what is far from a cosine is no whole number that a node could have.
    return place < static_cast<T>(bins - 1) ? static_cast<std::int64_t>(place) : bins - 1;
  }
  /// What s gives to node r.
  template <class T> DML_HOST_DEVICE T share(T s, std::int64_t r) const {
    const T width = 2 / static_cast<T>(bins - 1);
    const std::int64_t k = node(s);
    if (r != k && r != k + 1) return T(0);
    const T above = (s - (-1 + static_cast<T>(k) * width)) / width;
    const T inside = above < T(0) ? T(0) : above > T(1) ? T(1) : above;
    return r == k ? (k == bins - 1 ? T(1) : 1 - inside) : inside;
  }
  /// Whether s moves the histogram: a cosine, up to rounding.
  template <class T> DML_HOST_DEVICE bool counts(T s) const {
    return s > T(-1.00001) && s < T(1.00001);
  }
};

namespace kernel {
/// similarity [n, n], labels [n] i64; counts [2]: numbers of positive and negative pairs, 1 at
/// least -> h [2, bins]: the shares of positive and of negative pairs, divided by their number.
inline constinit Kernel<void(const Tensor& similarity, const Tensor& labels, const Tensor& counts,
                             const PairHistogram& rule, Tensor& h)>
    pair_histogram_fwd{"pair histogram"};
/// ds [n, n], 0 on and below the diagonal.
inline constinit Kernel<void(const Tensor& similarity, const Tensor& labels, const Tensor& counts,
                             const PairHistogram& rule, const Tensor& dh, Tensor& ds)>
    pair_histogram_bwd{"pair histogram backward"};
}  // namespace kernel

}  // namespace dml
