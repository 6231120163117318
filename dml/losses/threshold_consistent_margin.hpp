#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Positive pairs with s <= margin_plus: margin_plus - s; negative pairs with s >= margin_minus:
/// s - margin_minus. The bounds belong to the sets: their means count pairs of value 0.
struct ThresholdConsistentRow {
  static constexpr const char* name = "threshold_consistent_margin";
  static constexpr int parts = 2;
  double margin_plus = 0.9, margin_minus = 0.5;

  template <class T> DML_HOST_DEVICE T positive(float relation, T s) const {
    return s <= T(margin_plus) ? T(pairs::positive(relation)) : T(0);
  }
  template <class T> DML_HOST_DEVICE T negative(float relation, T s) const {
    return s >= T(margin_minus) ? T(pairs::negative(relation)) : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const T* s = row.values;
    const float* r = row.relation;
    sums[0] = team.sum(
        row.size, [&](std::int64_t j) { return positive(r[j], s[j]) * (T(margin_plus) - s[j]); });
    counts[0] = team.sum(row.size, [&](std::int64_t j) { return positive(r[j], s[j]); });
    sums[1] = team.sum(
        row.size, [&](std::int64_t j) { return negative(r[j], s[j]) * (s[j] - T(margin_minus)); });
    counts[1] = team.sum(row.size, [&](std::int64_t j) { return negative(r[j], s[j]); });
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) {
      const T s = row.values[j];
      gradient[j] = up[1] * negative(row.relation[j], s) - up[0] * positive(row.relation[j], s);
    });
    return T(0);
  }
};

}  // namespace dml
