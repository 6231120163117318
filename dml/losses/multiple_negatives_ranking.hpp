#pragma once
#include "dml/losses/nt_xent.hpp"

namespace dml {

/// The mean over the positives of an anchor of their cross-entropies against all its negatives.
struct RankingRow {
  static constexpr const char* name = "multiple_negatives_ranking";
  static constexpr int parts = 1;
  double scale = 20;  ///< of the matrix: -sign * scale
  Bounds bounds{};

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    double total = 0, number = 0;
    NtXentRow{.scale = scale}.sums(team, row, &total, &number);
    if (!(number > 0)) return;
    const T mean = static_cast<T>(total / number);
    if (!pairs::Within<T>(bounds)(mean)) return;
    sums[0] = static_cast<double>(mean);
    counts[0] = 1;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const NtXentRow all{.scale = scale};
    double total = 0, number = 0;
    all.sums(team, row, &total, &number);
    const bool counts = number > 0 && pairs::Within<T>(bounds)(static_cast<T>(total / number));
    const T share = counts ? up[0] / static_cast<T>(number) : T(0);
    return all.gradient(team, row, &share, gradient);
  }
};

}  // namespace dml
