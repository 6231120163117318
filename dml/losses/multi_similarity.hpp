#pragma once
#include "dml/pairs/sides.hpp"

namespace dml {

/// softplus(LSE of alpha m(d, base) over positives) / alpha
///   + softplus(LSE of beta m(base, d) over negatives) / beta; a missing side gives 0.
struct MultiSimilarityRow {
  static constexpr const char* name = "multi_similarity";
  static constexpr int parts = 1;
  double sign = -1, alpha = 2, beta = 50, base = 0.5;
  Bounds bounds{};

  template <class T> DML_HOST_DEVICE T exponent(T d, bool positive) const {
    const T apart = T(sign) * (d - T(base));
    return positive ? T(alpha) * apart : -T(beta) * apart;
  }
  template <class T, class Team>
  DML_HOST_DEVICE pairs::Sides<T> sides(const Team& team, const Row<T>& row) const {
    return pairs::sides(team, row, [=, this](T d, bool positive) { return exponent(d, positive); });
  }
  template <class T> DML_HOST_DEVICE T value(const pairs::Sides<T>& of) const {
    const auto &p = of.positive, &n = of.negative;
    return (p.empty() ? T(0) : pairs::softplus(p.log()) / T(alpha)) +
           (n.empty() ? T(0) : pairs::softplus(n.log()) / T(beta));
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    pairs::enter<T>(value(sides(team, row)), bounds, sums, counts);
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    const pairs::Sides<T> of = sides(team, row);
    const auto &p = of.positive, &n = of.negative;
    const T scale = pairs::Within<T>(bounds)(value(of)) ? up[0] * T(sign) : T(0);
    const T pull = p.empty() ? T(0) : scale * pairs::sigmoid(p.log()) / static_cast<T>(p.sum);
    const T push = n.empty() ? T(0) : scale * pairs::sigmoid(n.log()) / static_cast<T>(n.sum);
    const T* d = row.values;
    const float* r = row.relation;
    team.each(row.size, [=, this](std::int64_t j) {
      const bool positive = r[j] > 0;
      const T share = of.share(team, exponent(d[j], positive), positive);
      gradient[j] = r[j] == 0 ? T(0) : (positive ? pull : -push) * share;
    });
    return T(0);
  }
};

}  // namespace dml
