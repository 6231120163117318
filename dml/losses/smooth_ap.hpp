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

  /// Soft ranks of a positive, among the positives and among all, the first being 1; and the sums
  /// of the slopes of the steps that they consist of.
  template <class T, class Team>
  DML_HOST_DEVICE Four<double> ranks(const Team& team, const Row<T>& row, std::int64_t i) const {
    const T here = row.values[i], scale = static_cast<T>(1 / temperature);
    const T* values = row.values;
    const float* relation = row.relation;
    Four<double> at = team.sum4(row.size, [=](std::int64_t j) {
      const T step = pairs::soft_step(team, scale * (values[j] - here));
      const T slope = step * (T(1) - step), own = relation[j] > 0 ? T(1) : T(0);
      return Four<T>{own * step, step, own * slope, slope};
    });
    // The sample itself adds 1/2 to both ranks, and counts 1.
    at.a += 0.5;
    at.b += 0.5;
    return at;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T value(const Team& team, const Row<T>& row, double members) const {
    double precisions = 0;
    for (std::int64_t i = 0; i < row.size; ++i) {
      if (!(row.relation[i] > 0)) continue;
      const Four<double> at = ranks(team, row, i);
      precisions += at.a / at.b;
    }
    return static_cast<T>(1 - precisions / members);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const double members = pairs::positives<T>(team, row.relation, row.size);
    if (!(members > 1)) return;
    pairs::enter<T>(value(team, row, members), bounds, sums, counts);
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
      const Four<double> at = ranks(team, row, i);
      const T here = row.values[i], own = all * static_cast<T>(1 / at.b),
              rest = all * static_cast<T>(at.a / (at.b * at.b));
      const T* values = row.values;
      const float* relation = row.relation;
      team.each(row.size, [=](std::int64_t j) {
        const T step = pairs::soft_step(team, scale * (values[j] - here));
        gradient[j] += step * (T(1) - step) * ((relation[j] > 0 ? own : T(0)) - rest);
      });
      const T total = own * static_cast<T>(at.c) - rest * static_cast<T>(at.d);
      team.at(i, [&] { gradient[i] -= total; });
    }
    // The cosine of a sample with itself is a constant.
    team.at(row.index, [&] { gradient[row.index] = T(0); });
    return T(0);
  }
};

}  // namespace dml
