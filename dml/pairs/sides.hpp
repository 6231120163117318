#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml::pairs {

/// The log-sums of the positive and of the negative samples of a row, each counted once.
template <class T> struct Sides {
  LogSum<T> positive, negative;

  /// e^exponent of a sample, as a share of its side's e^peak.
  template <class Team>
  DML_HOST_DEVICE T share(const Team& team, T exponent, bool is_positive) const {
    return team.exp(exponent - (is_positive ? positive.peak : negative.peak));
  }
};

/// @param exponent  (distance, whether the sample is positive) -> T
template <class T, class Team, class Exponent>
DML_HOST_DEVICE Sides<T> sides(const Team& team, const Row<T>& row, const Exponent& exponent) {
  constexpr T none = T(-1e30);
  const T* d = row.values;
  const float* r = row.relation;
  const T p = team.largest(row.size,
                           [=](std::int64_t j) { return r[j] > 0 ? exponent(d[j], true) : none; });
  const T n = team.largest(row.size,
                           [=](std::int64_t j) { return r[j] < 0 ? exponent(d[j], false) : none; });
  const Sides<T> peaks{{p, 0}, {n, 0}};
  const Four<double> sums = team.sum4(row.size, [=](std::int64_t j) {
    const bool positive = r[j] > 0;
    const T share = peaks.share(team, exponent(d[j], positive), positive);
    return Four<T>{positive ? share : T(0), r[j] < 0 ? share : T(0), T(0), T(0)};
  });
  return {{p, sums.a}, {n, sums.b}};
}

}  // namespace dml::pairs
