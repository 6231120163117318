#pragma once
#include <cstdint>
#include <span>

#include "dml/divide/miner_rows.hpp"
#include "dml/labels.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml::division {

/// Triplets of a batch: a fixed number of places, some of which may be empty. Places of one anchor
/// lie side by side, positives and negatives each in ascending order.
struct Triplets {
  Tensor anchors, positives, negatives;  ///< [t] i64 rows of the batch; 0 at an empty place
  Tensor filled;                         ///< [t] of the batch's type: 1, or 0 at an empty place
};

/// Distances of rows: sqrt(max(squared distance, 1e-4)), raised to `cutoff` at least; no gradient.
/// [n, d] -> [n, n]
Var mining_distances(const Var& x, double cutoff);

/// How likely every row is to be drawn as a negative of every other: [n, n], of mining_distances.
Tensor negative_weights(const Var& distances, const Labels& labels, std::int64_t dim,
                        const WeightOptions& options);

/// Negatives per anchor: the mean number of positives, rounded half up, 1 at least, and no more
/// than rows of other classes that every row has.
std::int64_t negatives_per_anchor(const Labels& labels);

/// The triplets of drawn negatives: every anchor with a positive gets as many positives as it has
/// negatives, all of them if that is their number, else drawn with `random` (with replacement where
/// there are too few).
/// @param negatives  [n, q] i64, ascending in every row, on the device
Triplets pair_drawn(const Labels& labels, const Tensor& negatives, const Random& random,
                    const Var& like);

/// Distance-weighted mining: negatives of all distances, equally often.
/// @throws ShapeError when no row has a positive, or none has a negative.
Triplets mine_distance_weighted(const Var& x, const Labels& labels, const WeightOptions& options,
                                const Random& random);

/// The nearest negatives that are at least `cutoff` away, as many as the mean number of positives
/// (rounded down, 1 at least), paired with positives in ascending order.
Triplets mine_easypeasy(const Var& x, const Labels& labels, double cutoff = 0.5);

/// One triplet for every anchor: a hard (H), easy (E) or random (R) positive and the hardest or
/// (S) any semi-hard negative: "HPHN", "EPHN", "EPSHN", "RPSHN", "RPHN".
Triplets mine_one(const Var& x, const Labels& labels, const std::string& name, double margin,
                  const Random& random);

namespace kernel {
/// distances [n, n], labels [n] i64, weights [n, n]
inline constinit Kernel<void(const Tensor& distances, const Tensor& labels, const WeightRow& row,
                             Tensor& weights)>
    negative_weights{"negative_weights"};
/// weights, uniform [n, n], chosen [n, q] i64
inline constinit Kernel<void(const Tensor& weights, const Tensor& uniform, const DrawRow& row,
                             Tensor& chosen)>
    draw_weighted{"draw_weighted"};
/// distances [n, n], labels [n] i64; triplets of n q places
inline constinit Kernel<void(const Tensor& distances, const Tensor& labels, const NearestRow& row,
                             Triplets& triplets)>
    mine_nearest{"mine_nearest"};
/// distances, uniform [n, n], labels [n] i64; triplets of n places
inline constinit Kernel<void(const Tensor& distances, const Tensor& uniform, const Tensor& labels,
                             const OneRow& row, Triplets& triplets)>
    mine_one{"mine_one"};
}  // namespace kernel

}  // namespace dml::division
