#pragma once
#include "dml/miners/row_miner.hpp"

/// The rules of miners that look at one row at a time. x = sign * distance is larger further away,
/// for distances and similarities alike.
namespace dml {

/// Positives beyond pos_margin, negatives nearer than neg_margin.
struct PairMarginRule {
  static constexpr const char* name = "pair_margin miner";
  static constexpr bool relation = true;
  double sign = 1, pos_margin = 0.2, neg_margin = 0.8;

  template <class T, class Team, class Out>
  DML_HOST_DEVICE void mine(const Team& team, const Row<T>& row, Out* out) const {
    const T s = T(sign), far = T(pos_margin), near = T(neg_margin);
    team.each(row.size, [&](std::int64_t j) {
      const float r = row.relation[j];
      const T beyond = r > 0 ? s * (row.values[j] - far) : s * (near - row.values[j]);
      out[j] = beyond > T(0) ? r : 0.0F;
    });
  }
};

/// Positives that are not nearer than the nearest negative by epsilon, negatives that are not
/// further than the furthest positive by epsilon.
struct MultiSimilarityRule {
  static constexpr const char* name = "multi_similarity miner";
  static constexpr bool relation = true;
  double sign = -1, epsilon = 0.1;

  template <class T, class Team, class Out>
  DML_HOST_DEVICE void mine(const Team& team, const Row<T>& row, Out* out) const {
    const T s = T(sign), slack = T(epsilon);
    const auto positive = pairs::best<T>(
        team, row.size, [&](std::int64_t j) { return row.relation[j] > 0; },
        [&](std::int64_t j) { return s * row.values[j]; });
    const auto negative = pairs::best<T>(
        team, row.size, [&](std::int64_t j) { return row.relation[j] < 0; },
        [&](std::int64_t j) { return -s * row.values[j]; });
    const bool both = positive.found() && negative.found();
    team.each(row.size, [&](std::int64_t j) {
      const T x = s * row.values[j];
      const float r = row.relation[j];
      const bool hard = r > 0 ? x + slack > -negative.value : x - slack < positive.value;
      out[j] = both && hard ? r : 0.0F;
    });
  }
};

/// One positive and one negative of every row by their distance, or a whole side.
struct EasyHardRule {
  static constexpr const char* name = "batch_easy_hard miner";
  static constexpr bool relation = true;
  enum class Strategy : std::uint8_t { hard, semihard, easy, all };
  struct Side {
    Strategy strategy = Strategy::hard;
    double low = -1e300, high = 1e300;  ///< closed range of the distances that may be chosen
  };
  double sign = 1;
  Side positive{}, negative{};

  /// The chosen column of a side: the furthest or the nearest within the range, strictly on the
  /// side of `limit` that a semihard strategy asks for.
  template <class T, class Team>
  DML_HOST_DEVICE pairs::Best<T> choose(const Team& team, const Row<T>& row, bool of_positives,
                                        T limit) const {
    const Side& side = of_positives ? positive : negative;
    const bool semihard = side.strategy == Strategy::semihard;
    const bool furthest = of_positives == (side.strategy != Strategy::easy);
    // A semihard positive is the furthest nearer than the negative, a semihard negative the nearest
    // further than the positive: with `to` the direction of choice, both lie on the far side.
    const T to = furthest ? T(sign) : -T(sign), kind = of_positives ? T(1) : T(-1);
    const T low = T(side.low), high = T(side.high);
    return pairs::best<T>(
        team, row.size,
        [&](std::int64_t j) {
          const T d = row.values[j];
          return T(row.relation[j]) * kind > T(0) && d >= low && d <= high &&
                 (!semihard || to * d < to * limit);
        },
        [&](std::int64_t j) { return to * row.values[j]; });
  }

  template <class T, class Team, class Out>
  DML_HOST_DEVICE void mine(const Team& team, const Row<T>& row, Out* out) const {
    const bool all_positives = positive.strategy == Strategy::all;
    const bool all_negatives = negative.strategy == Strategy::all;
    pairs::Best<T> p{T(0), -1}, n{T(0), -1};
    // The side that is semihard is chosen after the other one.
    if (!all_positives && positive.strategy != Strategy::semihard)
      p = choose(team, row, true, T(0));
    if (!all_negatives && (negative.strategy != Strategy::semihard || p.found()))
      n = choose(team, row, false, p.found() ? row.values[p.column] : T(0));
    if (positive.strategy == Strategy::semihard && n.found())
      p = choose(team, row, true, row.values[n.column]);
    if (!all_positives && !all_negatives && !(p.found() && n.found())) p.column = n.column = -1;
    team.each(row.size, [&](std::int64_t j) {
      const float r = row.relation[j];
      const bool taken =
          r > 0 ? all_positives || j == p.column : r < 0 && (all_negatives || j == n.column);
      out[j] = taken ? r : 0.0F;
    });
  }
};

/// The probability of every negative to be drawn for the anchor of its row; 0 in rows that lack a
/// positive or a usable negative.
struct DistanceWeightedRule {
  static constexpr const char* name = "distance_weighted miner";
  static constexpr bool relation = false;
  double dim = 2, cutoff = 0.5, nonzero_loss_cutoff = 1.4;

  template <class T, class Team, class Out>
  DML_HOST_DEVICE void mine(const Team& team, const Row<T>& row, Out* out) const {
    using std::log, std::exp;
    constexpr T none = -std::numeric_limits<T>::infinity();
    const T shortest = T(cutoff), longest = T(nonzero_loss_cutoff);
    const T of_distance = T(2 - dim), of_rest = T((dim - 3) / 2);
    const auto log_weight = [&](std::int64_t j) {
      const T d = row.values[j] < shortest ? shortest : row.values[j];
      const T rest = T(1) - d * d / T(4);
      return row.relation[j] < 0 && d < longest && rest > T(0)
                 ? of_distance * log(d) - of_rest * log(rest)
                 : none;
    };
    const T positive =
        team.largest(row.size, [&](std::int64_t j) { return static_cast<T>(row.relation[j]); });
    const T peak = team.largest(row.size, log_weight);
    // Weights are far from this; a vectorised maximum of nothing may be the lowest number.
    const bool usable = positive > T(0) && peak > T(-1e30);
    const auto weight = [&](std::int64_t j) { return usable ? exp(log_weight(j) - peak) : T(0); };
    const double total = team.sum(row.size, weight);
    const T scale = usable ? static_cast<T>(1 / total) : T(0);
    team.each(row.size, [&](std::int64_t j) { out[j] = static_cast<Out>(weight(j) * scale); });
  }
};

}  // namespace dml
