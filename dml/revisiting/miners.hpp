#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dml/labels.hpp"
#include "dml/miners/distance_weighting.hpp"
#include "dml/revisiting/criteria.hpp"
#include "engine/random.hpp"

/// The batch miners of Revisiting-DML (Roth et al., ICML 2020). Each says for every anchor with
/// what probability a row becomes its positive and its negative; triplets are drawn from these
/// tables on the device. One entry per row of the batch, void where the row is no anchor.
namespace dml::revisiting {

/// What a row of a table holds; weights are 0 or 1, or those of a bin.
enum class Choice : std::uint8_t {
  positives,           ///< the class without the anchor
  positives_or_self,   ///< the same; the anchor itself where it is alone
  far_positives,       ///< positives further than the nearest negative; all where there are none
  negatives,           ///< all other classes
  semihard_negatives,  ///< d_ap < d_an < d_ap + margin; all where there are none
  near_negatives,      ///< negatives nearer than the farthest positive; all where there are none
  binned_negatives,    ///< the weight of the bin that the distance falls in
};

/// The rule of a table; the same arithmetic on every backend.
struct ChoiceRow {
  Choice choice = Choice::positives;
  double margin = 0.2;
  std::int64_t supports = 0;  ///< support points of the bins
  double low = 0, high = 0;   ///< the first and the last of them

  /// Bin of a distance: how many inner support points lie below it. The square is 1e-4 at least.
  template <class T> DML_HOST_DEVICE std::int64_t bin(T d) const {
    const T least = T(1e-2);
    const T distance = d < least ? least : d;
    std::int64_t count = 0;
    for (std::int64_t k = 1; k + 1 < supports; ++k)
      if (T(low + (high - low) * static_cast<double>(k) / static_cast<double>(supports - 1)) <
          distance)
        ++count;
    return count;
  }
  /// The probabilities p of row i. d: its distances; positive: its positive (semihard_negatives).
  template <class T>
  DML_HOST_DEVICE void row(const T* d, const std::int64_t* labels, std::int64_t n, std::int64_t i,
                           std::int64_t positive, const T* bins, T* p) const {
    const std::int64_t own = labels[i];
    const bool of_class = choice == Choice::positives || choice == Choice::positives_or_self ||
                          choice == Choice::far_positives;
    bool some = false, any_other = false, any_own = false;
    T nearest = 0, farthest = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (labels[j] == own) {
        if (j == i) continue;
        if (!any_own || d[j] > farthest) farthest = d[j];
        any_own = true;
      } else {
        if (!any_other || d[j] < nearest) nearest = d[j];
        any_other = true;
      }
    }
    T total = 0;
    for (int all = 0; all < 2 && !some; ++all) {
      total = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const bool candidate = of_class ? labels[j] == own && j != i : labels[j] != own;
        p[j] = candidate ? weight(d[j], all == 1, nearest, any_other, farthest, any_own,
                                  d[positive], bins)
                         : T(0);
        total += p[j];
      }
      some = total > T(0);
    }
    if (!some && choice == Choice::positives_or_self) total = p[i] = 1;
    for (std::int64_t j = 0; j < n && total > T(0); ++j) p[j] /= total;
  }

 private:
  template <class T>
  DML_HOST_DEVICE T weight(T d, bool all, T nearest, bool any_other, T farthest, bool any_own,
                           T to_positive, const T* bins) const {
    if (choice == Choice::binned_negatives) return bins[bin(d)];
    if (all) return T(1);
    if (choice == Choice::far_positives) return any_other && d > nearest ? T(1) : T(0);
    if (choice == Choice::near_negatives) return any_own && d < farthest ? T(1) : T(0);
    if (choice == Choice::semihard_negatives)
      return d > to_positive && d < to_positive + T(margin) ? T(1) : T(0);
    return T(1);
  }
};

/// Support points and the weights of the bins between them.
struct Support {
  std::int64_t points = 10;
  double low = 0.1, high = 1.4;
  std::string mode = "uniform";  ///< uniform, hards, semihards, veryhards

  /// The points.
  std::vector<double> places() const;
  /// Of every bin, adding up to 1; smallest value before that 1e-15.
  std::vector<double> weights() const;
};

/// Euclidean distances of all rows, from differences.   [n, n]
Tensor distances(const Var& v);
/// The table of a rule.   distance [n, n] -> [n, n]
/// @param positive  [n] i64: semihard_negatives   @param bins  [k]: binned_negatives
Tensor choices(Device& device, const Tensor& distance, const Tensor& labels, const ChoiceRow& rule,
               const Tensor& positive = {}, const Tensor& bins = {});

/// @see mine
struct MinerOptions {
  std::string miner = "distance";
  double margin = 0.2;        ///< semihard: of the loss
  double lower_cutoff = 0.5;  ///< distance, rho_distance, random_distance
  double cp = 0.2;            ///< rho_distance: chance of a pair that is pushed apart
  Support support{};          ///< parametric
};

/// All (a, p, n) with p of the class of a and n of another, by number: the triplets of `random`.
class NumberedTriplets {
 public:
  explicit NumberedTriplets(const Labels& labels);
  std::int64_t count() const { return first_.back(); }
  /// Triplet `number` of [0, count()).
  std::array<std::int64_t, 3> at(std::int64_t number) const;

 private:
  std::int64_t rows_;
  std::vector<std::vector<std::int64_t>> members_;  // of every class
  std::vector<std::int64_t> first_{0};              // number of the first triplet of every class
};

/// One triplet for every row (distance, semihard), every row whose class has another (softhard,
/// rho_distance, parametric, random_distance), or as many random ones as rows (random: without
/// repetition, all there are where they are fewer; intra_random: a random class, three rows of it).
/// @throws UsageError for other names.
Triplets mine(const Var& v, const Labels& labels, const Random& random,
              const MinerOptions& options = {});
/// Every row with another of its class, a random positive, and all other classes as negatives.
NegativeSets mine_sets(const Var& v, const Labels& labels, const Random& random);

}  // namespace dml::revisiting

namespace dml::kernel {
/// p [n, n] from distances and labels; positive [n] and bins may be undefined.
inline constinit Kernel<void(const Tensor& distance, const Tensor& labels,
                             const revisiting::ChoiceRow& rule, const Tensor& positive,
                             const Tensor& bins, Tensor& p)>
    miner_choices{"miner choices"};
}  // namespace dml::kernel
