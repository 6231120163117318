#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// softplus(LSE of alpha m(d, base) over positives) / alpha
///   + softplus(LSE of beta m(base, d) over negatives) / beta; a missing side gives 0.
struct MultiSimilarityRow {
  static constexpr const char* name = "multi_similarity";
  static constexpr int parts = 1;
  double sign = -1, alpha = 2, beta = 50, base = 0.5;
  Bounds bounds{};

  template <class T> DML_HOST_DEVICE T exponent(T d, bool positive) const {
    const T apart = T(sign) * (d - T(base));
    return positive ? T(alpha) * apart : -T(beta) * apart;
  }
  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> side(const Team& team, const Row<T>& row, bool positive) const {
    const T wanted = positive ? T(1) : T(-1);
    return pairs::log_sum<T>(
        team, row.size,
        [&](std::int64_t j) { return T(row.relation[j]) * wanted > T(0) ? T(1) : T(0); },
        [&](std::int64_t j) { return exponent(row.values[j], positive); });
  }
  template <class T>
  DML_HOST_DEVICE T value(const pairs::LogSum<T>& p, const pairs::LogSum<T>& n) const {
    return (p.empty() ? T(0) : pairs::softplus(p.log()) / T(alpha)) +
           (n.empty() ? T(0) : pairs::softplus(n.log()) / T(beta));
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    pairs::enter<T>(value(side(team, row, true), side(team, row, false)), bounds, sums, counts);
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::LogSum<T> p = side(team, row, true), n = side(team, row, false);
    const T scale = pairs::Within<T>(bounds)(value(p, n)) ? up[0] * T(sign) : T(0);
    const T pull = p.empty() ? T(0) : scale * pairs::sigmoid(p.log()) / static_cast<T>(p.sum);
    const T push = n.empty() ? T(0) : scale * pairs::sigmoid(n.log()) / static_cast<T>(n.sum);
    team.each(row.size, [&](std::int64_t j) {
      const bool positive = row.relation[j] > 0;
      const T share = team.exp(exponent(row.values[j], positive) - (positive ? p.peak : n.peak));
      const T factor = positive ? pull : row.relation[j] < 0 ? -push : T(0);
      gradient[j] = row.relation[j] == 0 ? T(0) : factor * share;
    });
    return T(0);
  }
};

}  // namespace dml
