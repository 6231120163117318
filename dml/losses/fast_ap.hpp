#pragma once
#include "dml/pairs/row_loss.hpp"
#include "dml/pairs/soft_step.hpp"

namespace dml {

/// w (1 - AP) of an anchor with positives, AP by soft histograms of the distances: with H+_l and
/// H_l the soft numbers of positives and of all others up to node l,
/// AP = sum_l (H+_l - H+_(l-1)) H+_l / H_l / |P|. The parameter of a row is its weight w.
struct FastApRow {
  static constexpr const char* name = "fast_ap";
  static constexpr int parts = 1;
  std::int64_t intervals = 10;  ///< between nodes; the nodes are 0 .. intervals
  double width = 0.4;           ///< from node to node
  Bounds bounds{};

  /// Soft numbers up to a node.
  struct Prefix {
    double own = 0, all = 0;
  };

  template <class T, class Team>
  DML_HOST_DEVICE Prefix prefix(const Team& team, const Row<T>& row, std::int64_t node) const {
    if (node > intervals) return {};
    const T end = static_cast<T>(node + 1), scale = static_cast<T>(1 / width);
    const T* values = row.values;
    const float* relation = row.relation;
    const Four<double> at = team.sum4(row.size, [=](std::int64_t j) {
      const T t = end - scale * values[j];
      const T share = t < T(0) ? T(0) : t > T(1) ? T(1) : t;
      return Four<T>{relation[j] > 0 ? share : T(0), relation[j] != 0 ? share : T(0)};
    });
    return {at.a, at.b};
  }

  /// The nodes [first, last] whose numbers are neither 0 nor all there is: around the distances.
  struct Nodes {
    std::int64_t first, last;
  };
  template <class T, class Team>
  DML_HOST_DEVICE Nodes nodes(const Team& team, const Row<T>& row) const {
    constexpr T none = T(-1e30);
    const T* values = row.values;
    const float* relation = row.relation;
    const T far =
        team.largest(row.size, [=](std::int64_t j) { return relation[j] != 0 ? values[j] : none; });
    const T near = -team.largest(
        row.size, [=](std::int64_t j) { return relation[j] != 0 ? -values[j] : none; });
    if (!(far >= near)) return {0, intervals};  // numbers that are none: let them show
    const auto bounded = [this](double node) {
      const auto most = static_cast<double>(intervals);
      return static_cast<std::int64_t>(node > 0 ? (node < most ? node : most) : 0);
    };
    // From the node before the nearest to the one behind the farthest, and a bit for rounding.
    return {bounded(static_cast<double>(near) / width - 1.01),
            bounded(static_cast<double>(far) / width + 1.01)};
  }

  template <class T, class Team>
  DML_HOST_DEVICE T value(const Team& team, const Row<T>& row, double positives) const {
    double sum = 0;
    Prefix before;
    const Nodes around = nodes(team, row);
    for (std::int64_t node = around.first; node <= around.last; ++node) {
      const Prefix at = prefix(team, row, node);
      if (at.all > 0) sum += (at.own - before.own) * at.own / at.all;
      before = at;
    }
    return row.parameter * static_cast<T>(1 - sum / positives);
  }

  template <class T, class Team>
  DML_HOST_DEVICE void sums(const Team& team, const Row<T>& row, double* sums,
                            double* counts) const {
    const double positives = pairs::positives<T>(team, row.relation, row.size);
    if (!(positives > 0)) return;
    pairs::enter<T>(value(team, row, positives), bounds, sums, counts);
  }

  template <class T, class Team>
  DML_HOST_DEVICE T gradient(const Team& team, const Row<T>& row, const T* up, T* gradient) const {
    team.each(row.size, [&](std::int64_t j) { gradient[j] = T(0); });
    const double positives = pairs::positives<T>(team, row.relation, row.size);
    if (!(positives > 0)) return T(0);
    if (pairs::limited(bounds) && !pairs::Within<T>(bounds)(value(team, row, positives)))
      return T(0);
    // A distance between node l and the next one moves H_l alone, at the rate -1 / width.
    const double scale = static_cast<double>(up[0] * row.parameter) / (positives * width);
    const Nodes around = nodes(team, row);
    Prefix before, at = prefix(team, row, around.first);
    for (std::int64_t node = around.first; node <= around.last; ++node) {
      const Prefix next = prefix(team, row, node + 1);
      if (at.all > 0) {
        const double share = at.own / at.all, rise = (at.own - before.own) / at.all;
        const T all = static_cast<T>(-scale * rise * share);
        const T own =
            all + static_cast<T>(scale * (share + rise - (next.all > 0 ? next.own / next.all : 0)));
        const T low = static_cast<T>(node), inverse = static_cast<T>(1 / width);
        const T* values = row.values;
        const float* relation = row.relation;
        team.each(row.size, [=](std::int64_t j) {
          const T u = inverse * values[j] - low;
          const T slope = relation[j] > 0 ? own : relation[j] < 0 ? all : T(0);
          gradient[j] += (u > T(0)) & (u < T(1)) ? slope : T(0);
        });
      }
      before = at;
      at = next;
    }
    return T(0);
  }
};

}  // namespace dml
