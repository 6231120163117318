#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// (1 - imbalance) R(P*) + imbalance R(N*), R(S) = sum w x / (sum w + floor), w = e^(t x); P* the
/// positives with x = d - (alpha - margin) > 0, N* the negatives with x = alpha - d > 0 and d > 0.
struct RankedListRow {
  static constexpr const char* name = "ranked_list";
  static constexpr int parts = 1;
  double margin = 0.4, alpha = 1.2, tp = 0, tn = 10, imbalance = 0.5;
  double floor = 0;            ///< batch size times 1e-5
  bool detach_weights = true;  ///< w is a constant for the gradient
  Bounds bounds{};

  /// One side of a row; all sums are divided by e^peak.
  template <class T> struct Side {
    T peak, mean;
    double below;
  };
  template <class T> DML_HOST_DEVICE T violation(float relation, T d) const {
    if (relation > 0) return d - T(alpha - margin);
    return relation < 0 && d > T(0) ? T(alpha) - d : T(-1);
  }
  template <class T, class Team>
  DML_HOST_DEVICE Side<T> side(const Team& team, const Row<T>& row, bool positive) const {
    using std::exp;
    const float wanted = positive ? 1.0F : -1.0F;
    const T t = positive ? T(tp) : T(tn);
    const auto x = [&](std::int64_t j) {
      return row.relation[j] * wanted > 0 ? violation(row.relation[j], row.values[j]) : T(-1);
    };
    const T most = team.largest(row.size, x), peak = most > T(0) ? t * most : T(0);
    const double below = team.sum(row.size, [&](std::int64_t j) {
      const T v = x(j);
      return v > T(0) ? team.exp(t * v - peak) : T(0);
    });
    const double above = team.sum(row.size, [&](std::int64_t j) {
      const T v = x(j);
      return v > T(0) ? v * team.exp(t * v - peak) : T(0);
    });
    const double all = below + floor * exp(-static_cast<double>(peak));
    return {peak, below > 0 ? static_cast<T>(above / all) : T(0), all};
  }
  template <class T> DML_HOST_DEVICE T value(const Side<T>& p, const Side<T>& n) const {
    return T(1 - imbalance) * p.mean + T(imbalance) * n.mean;
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    pairs::enter<T>(value(side(team, row, true), side(team, row, false)), bounds, sums, counts);
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const Side<T> p = side(team, row, true), n = side(team, row, false);
    const T scale = pairs::Within<T>(bounds)(value(p, n)) ? up[0] : T(0);
    team.each(row.size, [&](std::int64_t j) {
      const bool positive = row.relation[j] > 0;
      const T x = violation(row.relation[j], row.values[j]);
      const T t = positive ? T(tp) : T(tn), peak = positive ? p.peak : n.peak;
      const T below = static_cast<T>(positive ? p.below : n.below);
      const T mean = positive ? p.mean : n.mean;
      const T side_weight = positive ? T(1 - imbalance) : -T(imbalance);
      const T through = detach_weights ? T(1) : T(1) + t * (x - mean);
      gradient[j] =
          x > T(0) ? scale * side_weight * team.exp(t * x - peak) / below * through : T(0);
    });
    return T(0);
  }
};

}  // namespace dml
