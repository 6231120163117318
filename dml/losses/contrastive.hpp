#pragma once
#include "dml/pairs/row_loss.hpp"

namespace dml {

/// Positive pairs: [m(d, positive_margin)]+; negative pairs: [m(negative_margin, d)]+.
struct ContrastiveRow {
  static constexpr const char* name = "contrastive";
  static constexpr int parts = 2;
  double sign = 1, positive_margin = 0, negative_margin = 1;
  Bounds positives{}, negatives{};

  template <class T> DML_HOST_DEVICE T positive_value(T d) const {
    const T t = T(sign) * (d - T(positive_margin));
    return t > T(0) ? t : T(0);
  }
  template <class T> DML_HOST_DEVICE T negative_value(T d) const {
    const T t = T(sign) * (T(negative_margin) - d);
    return t > T(0) ? t : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const pairs::Within<T> in(positives), out(negatives);
    const T* d = row.values;
    const float* r = row.relation;
    sums[0] = team.sum(row.size, [&](std::int64_t j) {
      const T v = positive_value(d[j]);
      return in(v) ? T(pairs::positive(r[j])) * v : T(0);
    });
    counts[0] = team.sum(row.size, [&](std::int64_t j) {
      return in(positive_value(d[j])) ? T(pairs::positive(r[j])) : T(0);
    });
    sums[1] = team.sum(row.size, [&](std::int64_t j) {
      const T v = negative_value(d[j]);
      return out(v) ? T(pairs::negative(r[j])) * v : T(0);
    });
    counts[1] = team.sum(row.size, [&](std::int64_t j) {
      return out(negative_value(d[j])) ? T(pairs::negative(r[j])) : T(0);
    });
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Within<T> in(positives), out(negatives);
    const T *d = row.values, pull = up[0] * T(sign), push = up[1] * T(sign);
    const float* r = row.relation;
    team.each(row.size, [&](std::int64_t j) {
      const T p = positive_value(d[j]), n = negative_value(d[j]);
      const T chosen = T(pairs::positive(r[j])), refused = T(pairs::negative(r[j]));
      const T toward = (p > T(0)) & in(p) ? chosen : T(0);
      const T away = (n > T(0)) & out(n) ? refused : T(0);
      gradient[j] = pull * toward - push * away;
    });
    return T(0);
  }
};

}  // namespace dml
