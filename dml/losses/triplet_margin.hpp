#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Triplets of a row in product form: [v]+ or softplus(v), v = m(d_ap, d_an) + margin.
struct TripletRow {
  static constexpr const char* name = "triplet margin";
  static constexpr int parts = 1;
  double sign = 1, margin = 0.05;
  bool smooth = false;
  Bounds bounds{};
  TripletRange range{};

  template <class T> DML_HOST_DEVICE T value(T v) const {
    return smooth ? pairs::softplus(v) : v > T(0) ? v : T(0);
  }
  template <class T> DML_HOST_DEVICE T slope(T v) const {
    return smooth ? pairs::sigmoid(v) : v > T(0) ? T(1) : T(0);
  }
  /// How often (p, j) is a triplet, without the times that p was chosen.
  template <class T>
  DML_HOST_DEVICE T times(const Row<T>& row, std::int64_t p, std::int64_t j) const {
    return row.keeps(p, j, range) ? T(pairs::negative(row.relation[j])) : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::Within<T> in(bounds);
    const T s = T(sign);
    for (std::int64_t p = 0; p < row.size; ++p) {
      const double chosen = static_cast<double>(pairs::positive(row.relation[p]));
      if (!(chosen > 0)) continue;
      const T base = s * row.values[p] + T(margin);
      sums[0] += chosen * team.sum(row.size, [&](std::int64_t j) {
        const T v = value(base - s * row.values[j]);
        return in(v) ? times(row, p, j) * v : T(0);
      });
      counts[0] += chosen * team.sum(row.size, [&](std::int64_t j) {
        return in(value(base - s * row.values[j])) ? times(row, p, j) : T(0);
      });
    }
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Within<T> in(bounds);
    const T s = T(sign);
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    for (std::int64_t p = 0; p < row.size; ++p) {
      const T chosen = T(pairs::positive(row.relation[p]));
      if (!(chosen > T(0))) continue;
      const T base = s * row.values[p] + T(margin), scale = up[0] * s * chosen;
      const auto active = [&](std::int64_t j) {
        const T v = base - s * row.values[j];
        return in(value(v)) ? times(row, p, j) * slope(v) : T(0);
      };
      const double all = team.sum(row.size, active);
      team.each(row.size, [&](std::int64_t j) { gradient[j] -= scale * active(j); });
      team.at(p, [&] { gradient[p] += scale * static_cast<T>(all); });
    }
    return T(0);
  }
};

}  // namespace dml
