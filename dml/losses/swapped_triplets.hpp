#pragma once
#include "dml/losses/triplet_margin.hpp"
#include "dml/pairs/coupled_rows.hpp"

namespace dml {

/// Triplets in product form where d_an is replaced by the nearer of d_an and d_pn.
struct SwappedTriplets {
  static constexpr const char* name = "triplet margin with swap";
  TripletRow triplet{};

  template <class T>
  DML_HOST_DEVICE bool swaps(const Coupled<T>& in, std::int64_t a, std::int64_t p,
                             std::int64_t k) const {
    return T(triplet.sign) * in.between[p * in.size + k] <
           T(triplet.sign) * in.negative[a * in.size + k];
  }
  template <class T>
  DML_HOST_DEVICE T violation(const Coupled<T>& in, std::int64_t a, std::int64_t p,
                              std::int64_t k) const {
    const T far = swaps(in, a, p, k) ? in.between[p * in.size + k] : in.negative[a * in.size + k];
    return T(triplet.sign) * (in.positive[a * in.size + p] - far) + T(triplet.margin);
  }
  /// How often the triplet was chosen, without the times of its positive.
  template <class T>
  DML_HOST_DEVICE T times(const Coupled<T>& in, std::int64_t a, std::int64_t p,
                          std::int64_t k) const {
    Row<T> row{};
    in.filter.give(row, a, in.size);
    return row.keeps(p, k, triplet.range) ? T(pairs::negative(in.negatives[a * in.size + k]))
                                          : T(0);
  }
  /// d loss / d violation of a triplet.
  template <class T>
  DML_HOST_DEVICE T slope(const Coupled<T>& in, std::int64_t a, std::int64_t p,
                          std::int64_t k) const {
    const T v = violation(in, a, p, k);
    return pairs::Within<T>(triplet.bounds)(triplet.value(v))
               ? in.up[a] * in.chosen(a, p) * times(in, a, p, k) * triplet.slope(v) *
                     T(triplet.sign)
               : T(0);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Coupled<T>& in, std::int64_t a, double& sum,
                            double& count) const {
    const pairs::Within<T> within(triplet.bounds);
    for (std::int64_t p = 0; p < in.size; ++p) {
      const double chosen = static_cast<double>(in.chosen(a, p));
      if (!(chosen > 0)) continue;
      sum += chosen * team.sum(in.size, [&](std::int64_t k) {
        const T v = triplet.value(violation(in, a, p, k));
        return within(v) ? times(in, a, p, k) * v : T(0);
      });
      count += chosen * team.sum(in.size, [&](std::int64_t k) {
        return within(triplet.value(violation(in, a, p, k))) ? times(in, a, p, k) : T(0);
      });
    }
  }
  template <class T, class Team>
  DML_HOST_DEVICE void anchor_gradient(const Team& team, const Coupled<T>& in, std::int64_t a,
                                       T* dpositive, T* dnegative) const {
    team.each(in.size, [&](std::int64_t k) { dpositive[k] = dnegative[k] = T(0); });
    for (std::int64_t p = 0; p < in.size; ++p) {
      if (!(in.chosen(a, p) > T(0))) continue;
      const double all = team.sum(in.size, [&](std::int64_t k) { return slope(in, a, p, k); });
      team.at(p, [&] { dpositive[p] = static_cast<T>(all); });
      team.each(in.size, [&](std::int64_t k) {
        dnegative[k] -= swaps(in, a, p, k) ? T(0) : slope(in, a, p, k);
      });
    }
  }
  template <class T, class Team>
  DML_HOST_DEVICE void partner_gradient(const Team& team, const Coupled<T>& in, std::int64_t p,
                                        T* dbetween) const {
    team.each(in.size, [&](std::int64_t k) { dbetween[k] = T(0); });
    for (std::int64_t a = 0; a < in.rows; ++a) {
      if (!(in.chosen(a, p) > T(0))) continue;
      team.each(in.size, [&](std::int64_t k) {
        dbetween[k] -= swaps(in, a, p, k) ? slope(in, a, p, k) : T(0);
      });
    }
  }
};

}  // namespace dml
