#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/kernel.hpp"

namespace dml {

/// Probabilities of negatives in inverse proportion to how often their distance occurs on the unit
/// sphere of the embedding's dimension D (Wu et al., Sampling Matters in Deep Embedding Learning,
/// ICCV 2017), as Revisiting-DML has them: with delta = max(d, cutoff),
///   log w = (2 - D) log delta - (D - 3) / 2 log(1 - delta^2 / 4),  0 for the class of the anchor,
///   w = exp(log w - max log w), 0 for the class of the anchor,     p = w / sum w.
struct DistanceWeighting {
  double dim = 0;       ///< D
  double cutoff = 0.5;  ///< smallest distance that counts
  /// What happens from distance 2 on, where the logarithm ends: false: 1 - delta^2 / 4 is at least
  /// 1e-12; true: NaN becomes 0 and infinity the largest number (as LM-Metric).
  bool nan_to_number = false;

  /// log w of a negative at distance d.
  template <class T> DML_HOST_DEVICE T log_weight(T d) const {
    using std::log;
    const T delta = d < T(cutoff) ? T(cutoff) : d;
    T rest = 1 - delta * delta / 4;
    if (!nan_to_number && !(rest > T(1e-12))) rest = T(1e-12);
    const T value = T(2 - dim) * log(delta) - T((dim - 3) / 2) * log(rest);
    if (value != value) return T(0);
    const T most = std::numeric_limits<T>::max();
    return value > most ? most : value < -most ? -most : value;
  }
  /// The row of one anchor: n distances and classes -> p. All 0 where no negative has a weight.
  template <class T>
  DML_HOST_DEVICE void row(const T* d, const std::int64_t* labels, std::int64_t n, std::int64_t own,
                           T* p) const {
    using std::exp;
    T most = -std::numeric_limits<T>::max();
    for (std::int64_t j = 0; j < n; ++j) {
      p[j] = labels[j] == own ? T(0) : log_weight(d[j]);
      if (p[j] > most) most = p[j];
    }
    T total = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      p[j] = labels[j] == own ? T(0) : exp(p[j] - most);
      total += p[j];
    }
    for (std::int64_t j = 0; j < n && total > T(0); ++j) p[j] /= total;
  }
};

namespace kernel {
/// distance [n, m] from every anchor, labels [n] of the anchors, others [m] of the columns (i64)
/// -> p [n, m]
inline constinit Kernel<void(const Tensor& distance, const Tensor& labels, const Tensor& others,
                             const DistanceWeighting& rule, Tensor& p)>
    distance_weighting{"distance weighting"};
}  // namespace kernel

}  // namespace dml
