#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dml/labels.hpp"
#include "dml/pairs/angular_rule.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Keeps of the triplets of an anchor those with low < m(d_an, d_ap) <= high, m positive where the
/// negative is further; or those that an angular rule keeps.
struct TripletRange {
  double sign = 1;  ///< 1 for a distance, -1 for a similarity
  double low = 0, high = 0;
  AngularRule angle{};  ///< in place of low and high where it is one

  DML_HOST_DEVICE bool by_angle() const { return angle.bound >= 0; }
};

/// A TripletRange with what it looks at.
struct TripletFilter {
  Tensor matrix{};  ///< [n, q] of the miner's distance; undefined: every triplet is kept
  TripletRange range{};
  // By angle: the distances are squared, and these belong to them.
  Tensor between{};                        ///< [q, q] within the reference set
  Tensor anchor_sums{}, reference_sums{};  ///< [n], [q] sums of the components
};

/// The pairs or triplets that a loss looks at. No list of them need exist. All tensors lie on the
/// device; no value of them is read on the host.
///
/// The relation is a matrix [n, q] f32 of anchors against the reference set: k where (i, j) is a
/// positive pair that was chosen k times, -k for a negative pair, 0 for neither. Losses that treat
/// pairs as a set use its sign, the others its size.
struct Tuples {
  enum class Form : std::uint8_t {
    pairs,     ///< the relation
    product,   ///< all (a, p, n): a positive and a negative of one row, times both multiplicities
    triplets,  ///< an explicit list
  };
  Form form = Form::pairs;
  Tensor relation{};                        ///< pairs, product
  TripletFilter filter{};                   ///< product
  Tensor anchor{}, positive{}, negative{};  ///< triplets: [t] i64; entries from `count` on are void
  Tensor count{};                           ///< triplets: [] i64; undefined: all t are valid
};

/// The relation that the labels make: positive where they are equal, else negative. Without a
/// reference set a sample is no pair with itself.   -> [n, q] f32
Tensor relation_of(Device& device, const Labels& anchors, const Labels* reference = nullptr);

/// All pairs of the labels.
Tuples all_pairs(Device& device, const Labels& anchors, const Labels* reference = nullptr);

/// Pairs (a1, p) and (a2, n) given as lists; each counts as often as it occurs.
/// @throws ShapeError for lists of unequal length or indices outside [0, n) and [0, q).
Tuples pairs_from_lists(Device& device, std::int64_t n, std::int64_t q,
                        std::span<const std::int64_t> a1, std::span<const std::int64_t> p,
                        std::span<const std::int64_t> a2, std::span<const std::int64_t> negatives);
/// Triplets given as lists. @throws ShapeError as above.
Tuples triplets_from_lists(Device& device, std::int64_t n, std::int64_t q,
                           std::span<const std::int64_t> a, std::span<const std::int64_t> p,
                           std::span<const std::int64_t> negatives);

/// For every anchor with a positive and a negative k random triplets, positive and negative drawn
/// uniformly with replacement.
/// @param k  0: as many as the anchor's class has samples in the batch.
Tuples random_triplets(Device& device, const Labels& anchors, const Labels* reference,
                       std::int64_t k, Random random);

/// The relation that a pair loss sees: triplets are split into (a, p) and (a, n), repeats kept.
/// -> [n, q] f32
Tensor pair_relation(Device& device, const Tuples& tuples, std::int64_t n, std::int64_t q);

/// Tuples given to a loss on single samples: how often each of the n anchors occurs in all index
/// lists, divided by the largest such number; 1 for all without tuples.   -> [n] of `type`
/// @param anchors_only  count the occurrences as anchor alone (proxy_nca; a reference set).
Tensor sample_weights(Device& device, const Tuples* tuples, std::int64_t n, DType type,
                      bool anchors_only = false);

/// 1 when the relation has a positive and a negative pair, else 0.   -> [] of `type`
Tensor has_both_sides(Device& device, const Tensor& relation, DType type);

}  // namespace dml
