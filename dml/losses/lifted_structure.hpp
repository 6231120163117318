#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// What stands for the log-sum of no negatives.
inline constexpr double no_negatives = -1e30;

/// g_i = LSE of m(neg_margin, d_ik) over the negatives of row i, each as often as it was chosen;
/// no_negatives without any. For RowExtras::others; it has no gradient of its own.
struct NegativeLogSum {
  static constexpr const char* name = "log-sum of negatives";
  static constexpr int parts = 1;
  double sign = 1, neg_margin = 1;

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums, double*) const {
    const auto all = pairs::log_sum<T>(
        team, row.size, [&](std::int64_t j) { return pairs::negative(row.relation[j]); },
        [&](std::int64_t j) { return T(sign) * (T(neg_margin) - row.values[j]); });
    sums[0] = all.empty() ? no_negatives : static_cast<double>(all.log());
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T*, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    return T(0);
  }
};

/// Positive pairs: [log(e^g_i + e^g_j) + m(d_ij, pos_margin)]+^2 / 2, g = others.
struct LiftedRow {
  static constexpr const char* name = "lifted_structure";
  static constexpr int parts = 1;
  double sign = 1, neg_margin = 1, pos_margin = 0;
  bool both_anchors = true;  ///< negatives of i and of j; false with a reference set: of i alone
  Bounds bounds{};

  template <class T> DML_HOST_DEVICE T together(T a, T b) const {
    using std::exp, std::log1p;
    const T most = !both_anchors || a > b ? a : b, least = a > b ? b : a;
    if (most <= T(0.5 * no_negatives)) return T(0);
    return both_anchors ? most + log1p(exp(least - most)) : most;
  }
  /// The hinge of pair (i, j) at distance d.
  template <class T> DML_HOST_DEVICE T hinge(T d, T own, T other) const {
    const T t = together(own, other) + T(sign) * (d - T(pos_margin));
    return t > T(0) ? t : T(0);
  }
  template <class T> DML_HOST_DEVICE T other(const Row<T>& row, std::int64_t j) const {
    return both_anchors ? row.others[j] : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::Within<T> in(bounds);
    const auto value = [&](std::int64_t j) {
      const T h = hinge(row.values[j], row.others[row.index], other(row, j));
      return T(0.5) * h * h;
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

  /// d loss / d hinge argument of the pair (i, j), i an anchor with gradient `up`.
  template <class T> DML_HOST_DEVICE T pull(T up, float relation, T d, T own, T other_sum) const {
    if (!(relation > 0)) return T(0);
    const T h = hinge(d, own, other_sum);
    return pairs::Within<T>(bounds)(T(0.5) * h * h) ? up * T(relation) * h : T(0);
  }
  /// The share of row `own` in log(e^own + e^other).
  template <class T> DML_HOST_DEVICE T share(T own, T other_sum) const {
    using std::exp;
    return own <= T(0.5 * no_negatives) ? T(0) : exp(own - together(own, other_sum));
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const std::int64_t i = row.index;
    const T own = row.others[i];
    double push = team.sum(row.size, [&](std::int64_t j) {
      return pull(up[0], row.relation[j], row.values[j], own, other(row, j)) *
             share(own, other(row, j));
    });
    if (both_anchors)
      push += team.sum(row.rows, [&](std::int64_t j) {
        const std::int64_t at = j * row.size + i;
        return pull(row.up[j], row.relations[at], row.matrix[at], row.others[j], own) *
               share(own, row.others[j]);
      });
    const T scale = static_cast<T>(push);
    team.each(row.size, [&](std::int64_t j) {
      const T w = T(pairs::negative(row.relation[j]));
      const T z = T(sign) * (T(neg_margin) - row.values[j]);
      gradient[j] = w > T(0) ? -T(sign) * scale * w * team.exp(z - own) : T(0);
      if (row.relation[j] > 0)
        gradient[j] = T(sign) * pull(up[0], row.relation[j], row.values[j], own, other(row, j));
    });
    return T(0);
  }
};

/// [LSE of m(d, pos_margin) over positives + LSE of m(neg_margin, d) over negatives]+; an LSE of
/// nothing is 0.
struct GeneralizedLiftedRow {
  static constexpr const char* name = "generalized_lifted_structure";
  static constexpr int parts = 1;
  double sign = 1, neg_margin = 1, pos_margin = 0;
  Bounds bounds{};

  template <class T> DML_HOST_DEVICE T exponent(T d, bool positive) const {
    return positive ? T(sign) * (d - T(pos_margin)) : T(sign) * (T(neg_margin) - d);
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
    const T v = (p.empty() ? T(0) : p.log()) + (n.empty() ? T(0) : n.log());
    return v > T(0) ? v : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    pairs::enter<T>(value(side(team, row, true), side(team, row, false)), bounds, sums, counts);
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::LogSum<T> p = side(team, row, true), n = side(team, row, false);
    const T v = value(p, n);
    const T scale = v > T(0) && pairs::Within<T>(bounds)(v) ? up[0] * T(sign) : T(0);
    const T pull = p.empty() ? T(0) : scale / static_cast<T>(p.sum);
    const T push = n.empty() ? T(0) : scale / static_cast<T>(n.sum);
    team.each(row.size, [&](std::int64_t j) {
      const bool positive = row.relation[j] > 0;
      const T share = team.exp(exponent(row.values[j], positive) - (positive ? p.peak : n.peak));
      gradient[j] = row.relation[j] == 0 ? T(0) : (positive ? pull : -push) * share;
    });
    return T(0);
  }
};

}  // namespace dml
