#pragma once
#include "dml/pairs/row_loss.hpp"
#include "dml/pairs/soft_step.hpp"

namespace dml {

/// 1 - AP of a query, with a logistic step in place of the comparison of similarities. The relation
/// holds the query itself as a positive.
struct SmoothApRow {
  static constexpr const char* name = "smooth_ap";
  static constexpr int parts = 1;
  double temperature = 0.01;
  Bounds bounds{};

  /// Soft ranks of a positive: among the positives and among all, the first being 1.
  struct Ranks {
    double own, all;
  };

  template <class T, class Team>
  DML_HOST_DEVICE Ranks ranks(const Team& team, const Row<T>& row, std::int64_t i) const {
    const T here = row.values[i], scale = static_cast<T>(1 / temperature);
    const auto ahead = [&](std::int64_t j) {
      return pairs::soft_step(team, scale * (row.values[j] - here));
    };
    // The sample itself adds 1/2 to both sums, and counts 1.
    return {0.5 + team.sum(row.size,
                           [&](std::int64_t j) { return row.relation[j] > 0 ? ahead(j) : T(0); }),
            0.5 + team.sum(row.size, ahead)};
  }

  template <class T, class Team>
  DML_HOST_DEVICE T value(const Team& team, const Row<T>& row, double members) const {
    double precisions = 0;
    for (std::int64_t i = 0; i < row.size; ++i) {
      if (!(row.relation[i] > 0)) continue;
      const Ranks at = ranks(team, row, i);
      precisions += at.own / at.all;
    }
    return static_cast<T>(1 - precisions / members);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const double members = pairs::positives<T>(team, row.relation, row.size);
    if (!(members > 1)) return;
    const T v = value(team, row, members);
    if (!pairs::Within<T>(bounds)(v)) return;
    sums[0] = static_cast<double>(v);
    counts[0] = 1;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    const double members = pairs::positives<T>(team, row.relation, row.size);
    if (!(members > 1)) return T(0);
    if (pairs::limited(bounds) && !pairs::Within<T>(bounds)(value(team, row, members))) return T(0);
    const T scale = static_cast<T>(1 / temperature), all = -up[0] * scale / static_cast<T>(members);
    for (std::int64_t i = 0; i < row.size; ++i) {
      if (!(row.relation[i] > 0)) continue;
      const Ranks at = ranks(team, row, i);
      const T here = row.values[i], own = all * static_cast<T>(1 / at.all),
              rest = all * static_cast<T>(at.own / (at.all * at.all));
      const auto push = [&](std::int64_t j) {
        const T step = pairs::soft_step(team, scale * (row.values[j] - here));
        return step * (T(1) - step) * ((row.relation[j] > 0 ? own : T(0)) - rest);
      };
      const T total = static_cast<T>(team.sum(row.size, push));
      team.each(row.size, [&](std::int64_t j) { gradient[j] += push(j); });
      team.at(i, [&] { gradient[i] -= total; });
    }
    // The cosine of a sample with itself is a constant.
    team.at(row.index, [&] { gradient[row.index] = T(0); });
    return T(0);
  }
};

}  // namespace dml
