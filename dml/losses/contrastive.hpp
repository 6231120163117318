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
    const Four<double> all = team.sum4(row.size, [=, this](std::int64_t j) {
      const T p = positive_value(d[j]), n = negative_value(d[j]);
      const T near = T(pairs::positive(r[j])), far = T(pairs::negative(r[j]));
      return Four<T>{in(p) ? near * p : T(0), in(p) ? near : T(0), out(n) ? far * n : T(0),
                     out(n) ? far : T(0)};
    });
    sums[0] = all.a;
    counts[0] = all.b;
    sums[1] = all.c;
    counts[1] = all.d;
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    // A value of 0 has no slope, whatever the bounds say.
    const pairs::Within<T> in(positives.above(0)), out(negatives.above(0));
    const T *d = row.values, pull = up[0] * T(sign), push = up[1] * T(sign);
    const float* r = row.relation;
    team.each(row.size, [=, this](std::int64_t j) {
      const T toward = in(positive_value(d[j])) ? pull * T(pairs::positive(r[j])) : T(0);
      const T away = out(negative_value(d[j])) ? push * T(pairs::negative(r[j])) : T(0);
      gradient[j] = toward - away;
    });
    return T(0);
  }
};

}  // namespace dml
