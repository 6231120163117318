#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// w (LSE of z over all others - LSE of z over positives), z = scale d, w = the row's parameter.
/// Rows without positives have no value.
struct NcaRow {
  static constexpr const char* name = "nca";
  static constexpr int parts = 1;
  double scale = -1;
  Bounds bounds{};

  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> log_sum(const Team& team, const Row<T>& row,
                                           bool positives) const {
    return pairs::log_sum<T>(
        team, row.size,
        [&](std::int64_t j) {
          const bool chosen = positives ? row.relation[j] > 0 : row.relation[j] != 0;
          return chosen ? T(1) : T(0);
        },
        [&](std::int64_t j) { return T(scale) * row.values[j]; });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const auto all = log_sum(team, row, false), own = log_sum(team, row, true);
    if (own.empty()) return;
    pairs::enter<T>(row.parameter * (all.log() - own.log()), bounds, sums, counts);
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const auto all = log_sum(team, row, false), own = log_sum(team, row, true);
    const bool counted =
        !own.empty() && pairs::Within<T>(bounds)(row.parameter * (all.log() - own.log()));
    const T g = counted ? up[0] * row.parameter * T(scale) : T(0);
    const T spread = counted ? g / static_cast<T>(all.sum) : T(0);
    const T pull = counted ? g / static_cast<T>(own.sum) : T(0);
    team.each(row.size, [&](std::int64_t j) {
      const T z = T(scale) * row.values[j];
      const T share = spread * team.exp(z - all.peak);
      const T toward = pull * team.exp(z - own.peak);
      gradient[j] =
          counted && row.relation[j] != 0 ? share - (row.relation[j] > 0 ? toward : T(0)) : T(0);
    });
    return counted ? up[0] * (all.log() - own.log()) : T(0);
  }
};

}  // namespace dml
