#pragma once
#include "dml/labels.hpp"
#include "engine/tape.hpp"

/// The optional losses of intra-batch connections, each as its published code computes it. All
/// give one number, [].
namespace dml::intra_batch {

/// Mean over rows of -(1 - p)^gamma log p, p being the probability of the own class; the factor is
/// held constant for the gradient.   logits [n, c]
Var focal_loss(const Var& logits, const Tensor& labels, double gamma = 7);

/// Squared distance of every row to the centre of its class, summed, plus 1e-12 for each of the
/// other centres, divided by n; distances are cut to [1e-12, 1e12].   x [n, d], centres [c, d]
Var center_loss(const Var& x, const Var& centres, const Labels& labels);

/// Mean over anchors of max(0, furthest positive - nearest negative + margin), squared distances;
/// an anchor counts as a positive of itself.   x [n, d]
/// @throws ShapeError when all rows are of one class.
Var batch_hard_triplet(const Var& x, const Labels& labels, double margin = 0.5);

/// Cross-entropy of softmax(logits / temperature) against target probabilities, the mean over rows.
Var soft_target_cross_entropy(const Var& logits, const Var& targets, double temperature);

/// Kullback-Leibler divergence of the same, the mean over all n c entries.
Var soft_target_divergence(const Var& logits, const Var& targets, double temperature);

/// Mean over all entries of the smooth absolute value of x - targets.
Var smooth_l1_loss(const Var& x, const Var& targets);

/// How far the distances within a batch are from those of a teacher: d_ij is the sum over
/// dimensions of the smooth absolute value of x_i - x_j, divided by the mean of all d; the loss is
/// the sum over all n^2 pairs of |d_teacher - d_student|.   [n, e], [n, d]
Var relational_distance(const Var& teacher, const Var& student);

}  // namespace dml::intra_batch
