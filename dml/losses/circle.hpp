#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// softplus(LSE of -gamma [1 + m - s]+ (s - (1 - m)) over positives + LSE of gamma [s + m]+ (s - m)
/// over negatives); the brackets are constants for the gradient; 0 unless both sides are there.
struct CircleRow {
  static constexpr const char* name = "circle";
  static constexpr int parts = 1;
  double m = 0.4, gamma = 80;
  Bounds bounds{};

  /// d exponent / ds with the bracket held.
  template <class T> DML_HOST_DEVICE T slope(T s, bool positive) const {
    const T bracket = positive ? T(1 + m) - s : s + T(m);
    const T held = bracket > T(0) ? bracket : T(0);
    return positive ? -T(gamma) * held : T(gamma) * held;
  }
  template <class T> DML_HOST_DEVICE T exponent(T s, bool positive) const {
    return slope(s, positive) * (s - (positive ? T(1 - m) : T(m)));
  }
  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> side(const Team& team, const Row<T>& row, bool positive) const {
    const T wanted = positive ? T(1) : T(-1);
    return pairs::log_sum<T>(
        team, row.size,
        [&](std::int64_t j) { return T(row.relation[j]) * wanted > T(0) ? T(1) : T(0); },
        [&](std::int64_t j) { return exponent(row.values[j], positive); });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::LogSum<T> p = side(team, row, true), n = side(team, row, false);
    pairs::enter<T>(p.empty() || n.empty() ? T(0) : pairs::softplus(p.log() + n.log()), bounds,
                    sums, counts);
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::LogSum<T> p = side(team, row, true), n = side(team, row, false);
    const bool both = !p.empty() && !n.empty();
    const T total = both ? p.log() + n.log() : T(0);
    const bool counted = both && pairs::Within<T>(bounds)(pairs::softplus(total));
    const T scale = counted ? up[0] * pairs::sigmoid(total) : T(0);
    const T pull = counted ? scale / static_cast<T>(p.sum) : T(0);
    const T push = counted ? scale / static_cast<T>(n.sum) : T(0);
    team.each(row.size, [&](std::int64_t j) {
      const bool positive = row.relation[j] > 0;
      const T s = row.values[j];
      const T share = team.exp(exponent(s, positive) - (positive ? p.peak : n.peak));
      const T g = (positive ? pull : push) * slope(s, positive) * share;
      gradient[j] = row.relation[j] == 0 || !counted ? T(0) : g;
    });
    return T(0);
  }
};

}  // namespace dml
