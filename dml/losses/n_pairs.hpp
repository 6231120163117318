#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Cross-entropy of row i over the columns with others[j] > 0, target = the row's parameter (a
/// column; negative: the row takes no part); z = scale d.
struct NPairsRow {
  static constexpr const char* name = "n_pairs";
  static constexpr int parts = 1;
  double scale = 1;
  Bounds bounds{};

  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> all(const Team& team, const Row<T>& row) const {
    return pairs::log_sum<T>(
        team, row.size, [&](std::int64_t j) { return row.others[j]; },
        [&](std::int64_t j) { return T(scale) * row.values[j]; });
  }
  template <class T> DML_HOST_DEVICE T value(const Row<T>& row, const pairs::LogSum<T>& sum) const {
    return sum.log() - T(scale) * row.values[static_cast<std::int64_t>(row.parameter)];
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    if (row.parameter < T(0)) return;
    pairs::enter<T>(value(row, all(team, row)), bounds, sums, counts);
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const bool takes_part = row.parameter >= T(0);
    const pairs::LogSum<T> sum = all(team, row);
    const bool counted = takes_part && pairs::Within<T>(bounds)(value(row, sum));
    const T g = counted ? up[0] * T(scale) : T(0);
    const T spread = counted ? g / static_cast<T>(sum.sum) : T(0);
    team.each(row.size, [&](std::int64_t j) {
      const T share = spread * team.exp(T(scale) * row.values[j] - sum.peak);
      gradient[j] = (counted && row.others[j] > T(0) ? share : T(0)) -
                    (counted && static_cast<T>(j) == row.parameter ? g : T(0));
    });
    return T(0);
  }
};

namespace kernel {
/// The first positive pair of every class: the lowest anchor, then its lowest positive.
///   partner [n]: of the row that is such an anchor, else -1;  chosen [n]: 1 for such partners
/// @param classes  [n] i64
inline constinit Kernel<void(const Tensor& relation, const Tensor& classes, Tensor& partner,
                             Tensor& chosen)>
    first_pairs{"first pairs"};
}  // namespace kernel

}  // namespace dml
