#pragma once
#include "dml/tuples.hpp"

namespace dml {

/// Wu et al., Sampling Matters in Deep Embedding Learning, ICCV 2017: the probability of every
/// column to be drawn as the negative of the anchor of its row, inverse to the density of the
/// distances of random points on a sphere in `dim` dimensions.
/// @param distances  [n, q] L2 of normalised rows.
/// @param relation   [n, q] f32
/// @return           [n, q], rows sum to 1, or are 0 where the anchor has no positive or no
///                   negative nearer than nonzero_loss_cutoff.
Tensor negative_probabilities(Device& device, const Tensor& distances, const Tensor& relation,
                              std::int64_t dim, double cutoff, double nonzero_loss_cutoff);

}  // namespace dml
