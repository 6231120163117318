#pragma once
#include <cmath>

#include "dml/pairs/row_loss.hpp"
#include "dml/pairs/soft_step.hpp"

namespace dml {

/// Mean over the class of a query of f(R), R the soft number of negatives before a positive. The
/// relation holds the query itself as a positive.
struct PnpRow {
  static constexpr const char* name = "pnp";
  static constexpr int parts = 1;
  enum class Variant : std::uint8_t { o, ds, dq, iu, ib };
  Variant variant = Variant::o;
  double b = 2, alpha = 1, anneal = 0.01;

  /// f(R); of dq 1 - f(R), so that less is better for all.
  DML_HOST_DEVICE double penalty(double r) const {
    using std::log, std::pow;
    switch (variant) {
      case Variant::o:
        return r;
      case Variant::ds:
        return log(1 + r);
      case Variant::dq:
        return 1 - pow(1 + r, -alpha);
      case Variant::iu:
        return (1 + r) * log(1 + r);
      default:
        return (b * r - log(1 + b * r)) / (b * b);
    }
  }
  DML_HOST_DEVICE double slope(double r) const {
    using std::log, std::pow;
    switch (variant) {
      case Variant::o:
        return 1;
      case Variant::ds:
        return 1 / (1 + r);
      case Variant::dq:
        return alpha * pow(1 + r, -alpha - 1);
      case Variant::iu:
        return log(1 + r) + 1;
      default:
        return r / (1 + b * r);
    }
  }

  /// Whether sample j comes before sample i; 0 unless it is a negative.
  template <class T, class Team>
  DML_HOST_DEVICE T ahead(const Team& team, const Row<T>& row, std::int64_t j, T here) const {
    const T t = static_cast<T>(1 / anneal) * (row.values[j] - here);
    const T bounded = t < T(-50) ? T(-50) : t > T(50) ? T(50) : t;
    return row.relation[j] < 0 ? pairs::soft_step(team, bounded) : T(0);
  }
  template <class T, class Team>
  DML_HOST_DEVICE double rank(const Team& team, const Row<T>& row, std::int64_t i) const {
    return team.sum(row.size, [&](std::int64_t j) { return ahead(team, row, j, row.values[i]); });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const double members = pairs::positives<T>(team, row.relation, row.size);
    if (!(members > 1)) return;
    for (std::int64_t i = 0; i < row.size; ++i)
      if (row.relation[i] > 0) sums[0] += penalty(rank(team, row, i)) / members;
    counts[0] = 1;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    const double members = pairs::positives<T>(team, row.relation, row.size);
    if (!(members > 1)) return T(0);
    for (std::int64_t i = 0; i < row.size; ++i) {
      if (!(row.relation[i] > 0)) continue;
      const T here = row.values[i],
              scale = up[0] * static_cast<T>(slope(rank(team, row, i)) / (members * anneal));
      const auto push = [&](std::int64_t j) {
        const T step = ahead(team, row, j, here);
        return scale * step * (T(1) - step);
      };
      const T total = static_cast<T>(team.sum(row.size, push));
      team.each(row.size, [&](std::int64_t j) { gradient[j] += push(j); });
      team.at(i, [&] { gradient[i] -= total; });
    }
    // The cosine of a sample with itself is a constant.
    team.at(row.index, [&] { gradient[row.index] = T(0); });
    return T(0);
  }
};

}  // namespace dml
