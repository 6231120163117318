#pragma once
#include "dml/pairs/coupled_rows.hpp"

namespace dml {

/// Positive pairs: log(1 + sum over negatives k of e^z), z = 4t (a n_k + p n_k) - 2 (1 + t) a p;
/// the three matrices have the products.
struct AngularRows {
  static constexpr const char* name = "angular";
  double tangent = 1;  ///< t: squared tangent of the angle
  Bounds bounds{};

  template <class T, class Team>
  DML_HOST_DEVICE pairs::LogSum<T> log_sum(const Team& team, const Coupled<T>& in, std::int64_t a,
                                           std::int64_t p) const {
    return pairs::log_sum<T>(
        team, in.size,
        [&](std::int64_t k) { return pairs::negative(in.negatives[a * in.size + k]); },
        [&](std::int64_t k) { return exponent(in, a, p, k); });
  }
  template <class T>
  DML_HOST_DEVICE T exponent(const Coupled<T>& in, std::int64_t a, std::int64_t p,
                             std::int64_t k) const {
    return T(4 * tangent) * (in.negative[a * in.size + k] + in.between[p * in.size + k]);
  }
  /// The argument of softplus.
  template <class T>
  DML_HOST_DEVICE T total(const pairs::LogSum<T>& sum, const Coupled<T>& in, std::int64_t a,
                          std::int64_t p) const {
    return sum.log() - T(2 * (1 + tangent)) * in.positive[a * in.size + p];
  }
  /// d loss / d total of a pair, over the sum of its exponentials.
  template <class T>
  DML_HOST_DEVICE T slope(const pairs::LogSum<T>& sum, const Coupled<T>& in, std::int64_t a,
                          std::int64_t p) const {
    if (sum.empty()) return T(0);
    const T t = total(sum, in, a, p);
    if (!pairs::Within<T>(bounds)(pairs::softplus(t))) return T(0);
    return in.up[a] * in.chosen(a, p) * pairs::sigmoid(t);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Coupled<T>& in, std::int64_t a, double& sum,
                            double& count) const {
    for (std::int64_t p = 0; p < in.size; ++p) {
      const T weight = in.chosen(a, p);
      if (!(weight > T(0))) continue;
      const auto all = log_sum(team, in, a, p);
      const T v = all.empty() ? T(0) : pairs::softplus(total(all, in, a, p));
      if (!pairs::Within<T>(bounds)(v)) continue;
      sum += static_cast<double>(weight * v);
      count += static_cast<double>(weight);
    }
  }

  template <class T, class Team>
  DML_HOST_DEVICE void anchor_gradient(const Team& team, const Coupled<T>& in, std::int64_t a,
                                       T* dpositive, T* dnegative) const {
    team.each(in.size, [&](std::int64_t k) { dpositive[k] = dnegative[k] = T(0); });
    for (std::int64_t p = 0; p < in.size; ++p) {
      if (!(in.chosen(a, p) > T(0))) continue;
      const auto all = log_sum(team, in, a, p);
      const T g = slope(all, in, a, p);
      if (g == T(0)) continue;
      team.at(p, [&] { dpositive[p] = -T(2 * (1 + tangent)) * g; });
      spread(team, in, a, p, all, g, dnegative);
    }
  }
  template <class T, class Team>
  DML_HOST_DEVICE void partner_gradient(const Team& team, const Coupled<T>& in, std::int64_t p,
                                        T* dbetween) const {
    team.each(in.size, [&](std::int64_t k) { dbetween[k] = T(0); });
    for (std::int64_t a = 0; a < in.rows; ++a) {
      if (!(in.chosen(a, p) > T(0))) continue;
      const auto all = log_sum(team, in, a, p);
      const T g = slope(all, in, a, p);
      if (g != T(0)) spread(team, in, a, p, all, g, dbetween);
    }
  }

  /// to[k] += g 4t times the share of negative k.
  template <class T, class Team>
  DML_HOST_DEVICE void spread(const Team& team, const Coupled<T>& in, std::int64_t a,
                              std::int64_t p, const pairs::LogSum<T>& all, T g, T* to) const {
    const T scale = T(4 * tangent) * g / static_cast<T>(all.sum);
    team.each(in.size, [&](std::int64_t k) {
      const T w = T(pairs::negative(in.negatives[a * in.size + k]));
      to[k] += w > T(0) ? scale * w * team.exp(exponent(in, a, p, k) - all.peak) : T(0);
    });
  }
};

}  // namespace dml
