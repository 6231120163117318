#pragma once
#include <cmath>

#include "engine/kernel.hpp"

namespace dml::lm {

/// Smooth average precision of one query with a weight per ranked item, the arithmetic of one item.
/// With s(u) = 1 / (1 + exp(clamp(-u, -50, 50))):
///   rank+ = 1 + sum_{j != i, y_j = y_i} s((S_qj - S_qi) / tau)
///   rank  = 1 + phi_i sum_{j != i} s((S_qj - S_qi) / tau),      AP = 1/n sum_i rank+ / rank
struct SmoothRank {
  double tau;

  /// s of the difference of two similarities.
  template <class T> DML_HOST_DEVICE T step(T other, T own) const {
    using std::exp;
    const T u = (own - other) / T(tau);
    return 1 / (1 + exp(u < T(-50) ? T(-50) : u > T(50) ? T(50) : u));
  }
  /// ds / d(other), 0 outside the clamp.
  template <class T> DML_HOST_DEVICE T slope(T other, T own) const {
    const T u = (own - other) / T(tau);
    if (u < T(-50) || u > T(50)) return T(0);
    const T s = step(other, own);
    return s * (1 - s) / T(tau);
  }
};

/// Average precision of one query, which stays in its own ranking: items by ascending 1 - S, of
/// equal ones the first.
struct PrecisionRow {
  std::int64_t n;

  /// s: similarities of the query to all items; own: its class.
  template <class T>
  DML_HOST_DEVICE T value(const T* s, const std::int64_t* labels, std::int64_t own) const {
    double total = 0;
    std::int64_t relevant = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (labels[j] != own) continue;
      ++relevant;
      const T far = 1 - s[j];
      std::int64_t rank = 1, hits = 1;
      for (std::int64_t k = 0; k < n; ++k) {
        const T other = 1 - s[k];
        if (k == j || !(other < far || (other == far && k < j))) continue;
        ++rank;
        if (labels[k] == own) ++hits;
      }
      total += static_cast<double>(hits) / static_cast<double>(rank);
    }
    return relevant == 0 ? T(0) : static_cast<T>(total / static_cast<double>(relevant));
  }
};

}  // namespace dml::lm

namespace dml::kernel {
/// similarity [n, n], phi [n], labels [n] i64 -> ap [n]
inline constinit Kernel<void(const Tensor& similarity, const Tensor& phi, const Tensor& labels,
                             const lm::SmoothRank& rank, Tensor& ap)>
    weighted_smooth_ap_fwd{"weighted smooth ap"};
/// dphi [n, n]: what each query (row) gives to each item's weight; undefined when not wanted.
inline constinit Kernel<void(const Tensor& similarity, const Tensor& phi, const Tensor& labels,
                             const lm::SmoothRank& rank, const Tensor& dap, Tensor& dsimilarity,
                             Tensor& dphi)>
    weighted_smooth_ap_bwd{"weighted smooth ap backward"};
/// similarity [n, n], labels [n] i64 -> precision [n]
inline constinit Kernel<void(const Tensor& similarity, const Tensor& labels, Tensor& precision)>
    batch_precision{"average precision in the batch"};
}  // namespace dml::kernel
