#pragma once
#include "dml/divide/miners.hpp"

/// The criteria of Divide & Conquer, each as its published code computes it. x is [n, d].
namespace dml::division {

/// @see margin_loss
struct MarginOptions {
  double margin = 0.2;
  double nu = 0;  ///< weight of the size of beta
};

/// What the margin loss computes.
struct MarginTerms {
  Var d_ap, d_an;  ///< [t] distances of the triplets
  Var active;      ///< [] how many of the terms are above 0
  Var loss;        ///< []
};

/// (sum of relu(d_ap - beta + margin) + relu(beta - d_an + margin) + nu |beta|) divided by the
/// number of terms above 0; 0 where there is none. Distances are sqrt(|a - b|^2 + 1e-8).
/// @param beta  [1], or [classes]: that of the class of the anchor, whose size then counts once per
///              triplet
MarginTerms margin_loss(const Var& x, const Triplets& triplets, const Labels& labels,
                        const Var& beta, const MarginOptions& options);

/// relu(d_ap - d_an + margin), the mean over those above 0 (0 where there is none), or
/// log(1 + exp(d_ap - d_an)); distances are |a - b + 1e-6|.
Var triplet_loss(const Var& x, const Triplets& triplets, double margin, bool soft);

/// The mean of relu(d_ap - d_an + margin) over all triplets of the batch, zeros included; an anchor
/// counts as a negative of itself (distance 0.01). Distances are sqrt(max(squared, 1e-4)).
Var triplet_all_loss(const Var& x, const Labels& labels, double margin);

/// For every positive pair the nearest negative that is further than the positive, else the
/// furthest; the mean over pairs of relu(d_ap - d_an + margin) or of log(1 + exp(d_ap - d_an)).
Var triplet_semihard_loss(const Var& x, const Labels& labels, double margin, bool soft);

/// Cross-entropy of softmax(alpha <x_i, x_j>) over all other rows against a target that is spread
/// over the positives; rows without positive do not count.   alpha [1]
Var npairs_loss(const Var& x, const Labels& labels, const Var& alpha);

}  // namespace dml::division
