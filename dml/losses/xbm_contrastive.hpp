#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Sum of 1 - s over the positives of an anchor that are no copies, and of s over its negatives
/// above a margin.
struct XbmContrastiveRow {
  static constexpr const char* name = "xbm_contrastive";
  static constexpr int parts = 1;
  double margin = 0.5;
  Bounds bounds{};

  /// Positives from here on count as copies of the anchor.
  static constexpr double copy = 1 - 1e-5;

  template <class T> DML_HOST_DEVICE T slope(const Row<T>& row, std::int64_t j) const {
    const float r = row.relation[j];
    const T s = row.values[j];
    if (r > 0) return s < T(copy) ? -T(r) : T(0);
    return r < 0 && s > T(margin) ? -T(r) : T(0);
  }
  template <class T, class Team>
  DML_HOST_DEVICE T value(const Team& team, const Row<T>& row) const {
    return static_cast<T>(team.sum(row.size, [&](std::int64_t j) {
      const T s = row.values[j];
      return slope(row, j) * (row.relation[j] > 0 ? s - T(1) : s);
    }));
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    pairs::enter<T>(value(team, row), bounds, sums, counts);
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const T scale = pairs::Within<T>(bounds)(value(team, row)) ? up[0] : T(0);
    team.each(row.size, [&](std::int64_t j) { gradient[j] = scale * slope(row, j); });
    return T(0);
  }
};

}  // namespace dml
