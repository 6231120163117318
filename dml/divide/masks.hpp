#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tape.hpp"

/// Divide & Conquer (Sanakoyeu et al., TPAMI 2021), as its published code computes it.
namespace dml::division {

/// Rows of y scaled element by element with the mask of a learner, a row of masks, and brought to
/// length 1:  y * relu(m) / max(|y * relu(m)|, 1e-12).   y [n, e], masks [k, e]
/// @param rectified  whether the mask is cut at 0 first
Var masked_embedding(const Var& y, const Var& masks, std::int64_t learner, bool rectified);

/// The same with the sum of the masks of all learners.
/// @param l1  whether each is divided by the sum of its absolute values first
Var summed_embedding(const Var& y, const Var& masks, bool rectified, bool l1);

/// How alike the masks are: the mean over ordered pairs of different learners of
/// cos(relu(m_i), relu(m_j)), every length being 1e-8 at least; 0 for one learner.   [k, e] -> []
Var mask_similarity(const Var& masks);

/// Masks of ones, cut in halves until there are at least `learners`: the first child keeps the
/// first half of the ones (rounded down), the second the rest.   [k, e] f64, host
Tensor fixed_masks(std::int64_t learners, std::int64_t dim);

/// The least power of two that is not below n: how many masks there are when n learners are wanted.
std::int64_t whole_levels(std::int64_t n);

}  // namespace dml::division
