#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Sums and numbers of the values of positive (part 0) and negative (part 1) pairs.
struct PairValuesRow {
  static constexpr const char* name = "pair values";
  static constexpr int parts = 2;

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const T* d = row.values;
    const float* r = row.relation;
    sums[0] = team.sum(row.size, [&](std::int64_t j) { return T(pairs::positive(r[j])) * d[j]; });
    counts[0] = team.sum(row.size, [&](std::int64_t j) { return T(pairs::positive(r[j])); });
    sums[1] = team.sum(row.size, [&](std::int64_t j) { return T(pairs::negative(r[j])) * d[j]; });
    counts[1] = team.sum(row.size, [&](std::int64_t j) { return T(pairs::negative(r[j])); });
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) {
      gradient[j] =
          up[0] * T(pairs::positive(row.relation[j])) + up[1] * T(pairs::negative(row.relation[j]));
    });
    return T(0);
  }
};

/// Pairs of one side: [direction (d - factor mean)]+^2, mean = the row's parameter.
struct PairVarianceRow {
  static constexpr const char* name = "intra_pair_variance";
  static constexpr int parts = 1;
  double direction = 1, factor = 1;
  bool positive = true;
  Bounds bounds{};

  template <class T> DML_HOST_DEVICE T weight(float relation) const {
    return T(positive ? pairs::positive(relation) : pairs::negative(relation));
  }
  template <class T> DML_HOST_DEVICE T hinge(T d, T mean) const {
    const T t = T(direction) * (d - T(factor) * mean);
    return t > T(0) ? t : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::Within<T> in(bounds);
    sums[0] = team.sum(row.size, [&](std::int64_t j) {
      const T h = hinge(row.values[j], row.parameter);
      return in(h * h) ? weight<T>(row.relation[j]) * h * h : T(0);
    });
    counts[0] = team.sum(row.size, [&](std::int64_t j) {
      const T h = hinge(row.values[j], row.parameter);
      return in(h * h) ? weight<T>(row.relation[j]) : T(0);
    });
  }
  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Within<T> in(bounds);
    const T scale = T(2) * T(direction) * up[0];
    const auto slope = [&](std::int64_t j) {
      const T h = hinge(row.values[j], row.parameter);
      return in(h * h) ? scale * weight<T>(row.relation[j]) * h : T(0);
    };
    team.each(row.size, [&](std::int64_t j) { gradient[j] = slope(j); });
    return -T(factor) * static_cast<T>(team.sum(row.size, slope));
  }
};

}  // namespace dml
