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
    pairs::either(!smooth && row.filter == nullptr, [&](auto plain) {
      for (std::int64_t p = 0; p < row.size; ++p)
        if (row.relation[p] > 0) sums_of<plain.value>(team, row, p, sums, counts);
    });
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    pairs::either(!smooth && row.filter == nullptr, [&](auto plain) {
      for (std::int64_t p = 0; p < row.size; ++p)
        if (row.relation[p] > 0) gradient_of<plain.value>(team, row, p, up[0], gradient);
    });
    return T(0);
  }

  /// The triplets of one positive. Plain: a hinge, all triplets.
  template <bool plain, class T, class Team>
  DML_HOST_DEVICE void sums_of(const Team& team, const Row<T>& row, std::int64_t p, double* sums,
                               double* counts) const {
    const pairs::Within<T> in(bounds);
    const T s = T(sign), base = s * row.values[p] + T(margin);
    const T* d = row.values;
    const float* r = row.relation;
    const double chosen = static_cast<double>(r[p]);
    const auto value_of = [=, this](std::int64_t j) {
      const T v = base - s * d[j];
      if constexpr (plain) return v > T(0) ? v : T(0);
      return value(v);
    };
    const auto times_of = [=, this](std::int64_t j) {
      if constexpr (plain) return T(pairs::negative(r[j]));
      return times(row, p, j);
    };
    sums[0] += chosen * team.sum(row.size, [=](std::int64_t j) {
      const T v = value_of(j), w = times_of(j);
      return in(v) ? w * v : T(0);
    });
    counts[0] += chosen * team.sum(row.size, [=](std::int64_t j) {
      const T v = value_of(j), w = times_of(j);
      return in(v) ? w : T(0);
    });
  }
  template <bool plain, class T, class Team>
  DML_HOST_DEVICE void gradient_of(const Team& team, const Row<T>& row, std::int64_t p, T up,
                                   T* gradient) const {
    const pairs::Within<T> in(bounds);
    const T s = T(sign), base = s * row.values[p] + T(margin), scale = up * s * T(row.relation[p]);
    const T* d = row.values;
    const float* r = row.relation;
    const auto active = [=, this](std::int64_t j) {
      const T v = base - s * d[j];
      if constexpr (plain) {
        const T w = T(pairs::negative(r[j]));
        return v > T(0) && in(v) ? w : T(0);
      } else {
        return in(value(v)) ? times(row, p, j) * slope(v) : T(0);
      }
    };
    const double all = team.sum(row.size, active);
    team.each(row.size, [=](std::int64_t j) { gradient[j] -= scale * active(j); });
    team.at(p, [&] { gradient[p] += scale * static_cast<T>(all); });
  }
};

}  // namespace dml
