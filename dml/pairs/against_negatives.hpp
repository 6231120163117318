#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// For every positive pair softplus(g - scale f(x_p)), g the log-sum of scale x over the negatives,
/// each as often as it was chosen. 0 for rows without negatives. No matrix of positives by
/// negatives exists.
/// @tparam Positive  f: a name for the kernel, value(x), and slope(x) = df/dx.
template <class Positive> struct AgainstNegatives {
  static constexpr const char* name = Positive::name;
  static constexpr int parts = 1;
  Positive positive{};
  double scale = 1;  ///< of the matrix; negative for a distance
  Bounds bounds{};

  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> negatives(const Team& team, const Row<T>& row) const {
    return pairs::log_sum<T>(
        team, row.size, [&](std::int64_t j) { return pairs::negative(row.relation[j]); },
        [&](std::int64_t j) { return T(scale) * row.values[j]; });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::Within<T> in(bounds);
    const pairs::LogSum<T> all = negatives(team, row);
    const T g = all.empty() ? T(0) : all.log();
    const auto value = [&](std::int64_t j) {
      return all.empty() ? T(0) : pairs::softplus(g - T(scale) * positive.value(row.values[j]));
    };
    sums[0] = team.sum(row.size, [&](std::int64_t j) {
      if (!(row.relation[j] > 0)) return T(0);
      const T v = value(j);
      return in(v) ? T(row.relation[j]) * v : T(0);
    });
    counts[0] = team.sum(row.size, [&](std::int64_t j) {
      return row.relation[j] > 0 && in(value(j)) ? T(row.relation[j]) : T(0);
    });
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Within<T> in(bounds);
    const pairs::LogSum<T> all = negatives(team, row);
    const T g = all.empty() ? T(0) : all.log(), s = T(scale);
    const auto pull = [&](std::int64_t j) {
      if (!(row.relation[j] > 0) || all.empty()) return T(0);
      const T t = g - s * positive.value(row.values[j]);
      return in(pairs::softplus(t)) ? T(row.relation[j]) * pairs::sigmoid(t) : T(0);
    };
    const T push =
        all.empty() ? T(0) : static_cast<T>(team.sum(row.size, pull) / all.sum) * up[0] * s;
    team.each(row.size, [&](std::int64_t j) {
      const T w = T(pairs::negative(row.relation[j]));
      gradient[j] = w > T(0) ? push * w * team.exp(s * row.values[j] - all.peak) : T(0);
    });
    for (std::int64_t p = 0; p < row.size; ++p)
      if (row.relation[p] > 0)
        team.at(p, [&] { gradient[p] = -up[0] * s * positive.slope(row.values[p]) * pull(p); });
    return T(0);
  }
};

}  // namespace dml
