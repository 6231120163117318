#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <utility>

namespace dml {

/// By which mean of the two entropies mutual information is divided.
enum class NmiMean : std::uint8_t { arithmetic, geometric };

/// How two partitions of the same n items overlap: what every measure of their likeness is computed
/// from.
class Overlap {
 public:
  /// @param a, b  [n] the part of every item. @throws ShapeError when lengths differ or are 0.
  Overlap(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

  /// Sizes of the parts, and of their overlaps.
  const std::map<std::int64_t, double>& in_a() const { return in_a_; }
  const std::map<std::int64_t, double>& in_b() const { return in_b_; }
  const std::map<std::pair<std::int64_t, std::int64_t>, double>& in_both() const {
    return in_both_;
  }
  double items() const { return items_; }
  /// Whether a and b are the same partition under other names.
  bool same() const { return in_both_.size() == in_a_.size() && in_a_.size() == in_b_.size(); }

  /// Mutual information and entropies, in nats.
  double information() const;
  double entropy_a() const;
  double entropy_b() const;
  /// The mutual information to be expected of random partitions with parts of these sizes (the
  /// hypergeometric model of Vinh et al., JMLR 2010, eq. 24a).
  double expected_information() const;
  /// Unordered pairs of items that are in one part of a, of b, of both.
  double pairs_a() const;
  double pairs_b() const;
  double pairs_both() const;

 private:
  std::map<std::int64_t, double> in_a_, in_b_;
  std::map<std::pair<std::int64_t, std::int64_t>, double> in_both_;
  double items_ = 0;
};

/// I(a; b) / mean(H(a), H(b)); 1 when both have a single part; symmetric; between 0 and 1.
double normalised_mutual_information(std::span<const std::int64_t> a,
                                     std::span<const std::int64_t> b,
                                     NmiMean mean = NmiMean::arithmetic);

/// (I - E[I]) / (mean(H(a), H(b)) - E[I]), arithmetic mean; 1 for equal partitions.
double adjusted_mutual_information(std::span<const std::int64_t> a,
                                   std::span<const std::int64_t> b);

/// 2 TP / (pairs in one part of a + pairs in one part of b), TP pairs being in one part of both;
/// 0 when there is no such pair.
double pair_f1(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace dml
