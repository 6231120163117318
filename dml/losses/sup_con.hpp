#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// LSE of z over positives and negatives less the mean of z over positives, z = scale d; 0 for an
/// anchor without positives.
struct SupConRow {
  static constexpr const char* name = "sup_con";
  static constexpr int parts = 1;
  double scale = 10;  ///< -sign / temperature
  Bounds bounds{};

  /// What both passes need of a row.
  template <class T> struct Parts {
    pairs::LogSum<T> all;
    double positives;
    T value;
  };
  template <class T, class Team>
  DML_HOST_DEVICE Parts<T> look(const Team& team, const Row<T>& row) const {
    const auto all = pairs::log_sum<T>(
        team, row.size, [&](std::int64_t j) { return row.relation[j] != 0 ? T(1) : T(0); },
        [&](std::int64_t j) { return T(scale) * row.values[j]; });
    const double count =
        team.sum(row.size, [&](std::int64_t j) { return row.relation[j] > 0 ? T(1) : T(0); });
    if (!(count > 0)) return {all, count, T(0)};
    const double below = team.sum(row.size, [&](std::int64_t j) {
      return row.relation[j] > 0 ? all.log() - T(scale) * row.values[j] : T(0);
    });
    return {all, count, static_cast<T>(below / count)};
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const Parts<T> of = look(team, row);
    if (!pairs::Within<T>(bounds)(of.value)) return;
    sums[0] = static_cast<double>(of.value);
    counts[0] = 1;
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const Parts<T> of = look(team, row);
    const bool counted = of.positives > 0 && pairs::Within<T>(bounds)(of.value);
    const T g = counted ? up[0] * T(scale) : T(0);
    const T spread = counted ? g / static_cast<T>(of.all.sum) : T(0);
    const T own = counted ? g / static_cast<T>(of.positives) : T(0);
    team.each(row.size, [&](std::int64_t j) {
      const T share = spread * team.exp(T(scale) * row.values[j] - of.all.peak);
      gradient[j] =
          (row.relation[j] != 0 && counted ? share : T(0)) - (row.relation[j] > 0 ? own : T(0));
    });
    return T(0);
  }
};

}  // namespace dml
