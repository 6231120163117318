#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Triplets of a row in product form: [m(d_ap, b) + margin]+ + [m(b, d_an) + margin]+, b = the
/// row's parameter.
///   part 0: sum and number of triplets within bounds
///   part 1: counts alone: how many of the two terms are above 0, over triplets
///   part 2: sum of nu b over triplets within its own bounds, and their number
struct MarginRow {
  static constexpr const char* name = "margin";
  static constexpr int parts = 3;
  double sign = 1, margin = 0.2, nu = 0;
  Bounds bounds{}, penalty{};
  TripletRange range{};

  template <class T> DML_HOST_DEVICE T hinge(T apart) const {
    const T t = T(sign) * apart + T(margin);
    return t > T(0) ? t : T(0);
  }
  template <class T> DML_HOST_DEVICE T step(T value) const { return value > T(0) ? T(1) : T(0); }
  /// Whether the sum over triplets splits into one over positives and one over negatives.
  template <class T> DML_HOST_DEVICE bool splits(const Row<T>& row) const {
    return row.filter == nullptr && bounds.low < -1e300 && bounds.high > 1e300;
  }
  template <class T>
  DML_HOST_DEVICE T times(const Row<T>& row, std::int64_t p, std::int64_t j) const {
    return row.keeps(p, j, range) ? T(pairs::negative(row.relation[j])) : T(0);
  }

  /// Weighted numbers of positives and negatives of a row.
  template <class T, class Team>
  DML_HOST_DEVICE void numbers(const Team& team, const Row<T>& row, double& p, double& n) const {
    p = team.sum(row.size, [&](std::int64_t j) { return T(pairs::positive(row.relation[j])); });
    n = team.sum(row.size, [&](std::int64_t j) { return T(pairs::negative(row.relation[j])); });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void split_sums(const Team& team, const Row<T>& row, double* sums,
                                  double* counts) const {
    const T b = row.parameter;
    const T* d = row.values;
    const float* r = row.relation;
    double p = 0, n = 0;
    numbers(team, row, p, n);
    const auto near = [&](std::int64_t j) { return hinge(d[j] - b); };
    const auto far = [&](std::int64_t j) { return hinge(b - d[j]); };
    sums[0] =
        n * team.sum(row.size, [&](std::int64_t j) { return T(pairs::positive(r[j])) * near(j); });
    sums[0] +=
        p * team.sum(row.size, [&](std::int64_t j) { return T(pairs::negative(r[j])) * far(j); });
    counts[0] = p * n;
    counts[1] = n * team.sum(row.size, [&](std::int64_t j) {
      return T(pairs::positive(r[j])) * step(near(j));
    });
    counts[1] += p * team.sum(row.size, [&](std::int64_t j) {
      return T(pairs::negative(r[j])) * step(far(j));
    });
  }

  template <class T, class Team>
  DML_HOST_DEVICE void all_sums(const Team& team, const Row<T>& row, double* sums, double* counts,
                                double& triplets) const {
    const pairs::Within<T> in(bounds);
    const T b = row.parameter;
    for (std::int64_t p = 0; p < row.size; ++p) {
      const double chosen = static_cast<double>(pairs::positive(row.relation[p]));
      if (!(chosen > 0)) continue;
      const T near = hinge(row.values[p] - b);
      const auto far = [&](std::int64_t j) { return hinge(b - row.values[j]); };
      sums[0] += chosen * team.sum(row.size, [&](std::int64_t j) {
        const T v = near + far(j);
        return in(v) ? times(row, p, j) * v : T(0);
      });
      counts[0] += chosen * team.sum(row.size, [&](std::int64_t j) {
        return in(near + far(j)) ? times(row, p, j) : T(0);
      });
      counts[1] += chosen * team.sum(row.size, [&](std::int64_t j) {
        return times(row, p, j) * (step(near) + step(far(j)));
      });
      triplets += chosen * team.sum(row.size, [&](std::int64_t j) { return times(row, p, j); });
    }
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    double triplets = 0;
    if (splits(row)) {
      split_sums(team, row, sums, counts);
      triplets = counts[0];
    } else {
      all_sums(team, row, sums, counts, triplets);
    }
    const T own = T(nu) * row.parameter;
    if (!pairs::Within<T>(penalty)(own)) return;
    sums[2] = static_cast<double>(own) * triplets;
    counts[2] = triplets;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Within<T> in(bounds);
    const T b = row.parameter, s = T(sign) * up[0];
    double slope = 0, triplets = 0;
    if (splits(row)) {
      double p = 0, n = 0;
      numbers(team, row, p, n);
      triplets = p * n;
      const T to_p = s * static_cast<T>(n), to_n = s * static_cast<T>(p);
      const auto pull = [&](std::int64_t j) {
        return to_p * T(pairs::positive(row.relation[j])) * step(hinge(row.values[j] - b)) -
               to_n * T(pairs::negative(row.relation[j])) * step(hinge(b - row.values[j]));
      };
      team.each(row.size, [&](std::int64_t j) { gradient[j] = pull(j); });
      slope = -team.sum(row.size, pull);
    } else {
      team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
      for (std::int64_t p = 0; p < row.size; ++p) {
        const T chosen = T(pairs::positive(row.relation[p]));
        if (!(chosen > T(0))) continue;
        const T near = hinge(row.values[p] - b);
        const auto weight = [&](std::int64_t j) {
          return in(near + hinge(b - row.values[j])) ? chosen * times(row, p, j) : T(0);
        };
        const auto push = [&](std::int64_t j) {
          return weight(j) * step(hinge(b - row.values[j]));
        };
        const double pulled = static_cast<double>(step(near)) * team.sum(row.size, weight);
        const double pushed = team.sum(row.size, push);
        triplets += static_cast<double>(chosen) *
                    team.sum(row.size, [&](std::int64_t j) { return times(row, p, j); });
        team.each(row.size, [&](std::int64_t j) { gradient[j] -= s * push(j); });
        team.at(p, [&] { gradient[p] += s * static_cast<T>(pulled); });
        slope += static_cast<double>(s) * (pushed - pulled);
      }
    }
    const bool counted = pairs::Within<T>(penalty)(T(nu) * b);
    return static_cast<T>(slope) + (counted ? up[2] * T(nu) * static_cast<T>(triplets) : T(0));
  }
};

}  // namespace dml
