#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dml/labels.hpp"
#include "engine/tape.hpp"

namespace dml {

/// What rows without a known label start from.
enum class GroupPrior : std::uint8_t {
  softmax,       ///< the net's own probabilities, softmax(logits / temperature) over all classes
  uniform,       ///< 1 / classes; the group term gives the logits no gradient
  only_classes,  ///< softmax, cut to the given classes, rows divided by their sums
};

/// "softmax", "uniform" or "only_classes". @throws UsageError for other words.
GroupPrior group_prior_of(const std::string& name);

/// @see group_loss
struct GroupLossOptions {
  double temperature = 24;      ///< divides the logits of the prior, not those of cross-entropy
  std::int64_t iterations = 1;  ///< steps of replicator dynamics
  double scaling = 1;           ///< weight of the group term
  double ce_weight = 1;         ///< weight of the cross-entropy
  GroupPrior prior = GroupPrior::softmax;
};

/// A batch as the Group Loss sees it.
struct GroupLossInput {
  Var features;                         ///< [n, d]
  Var logits;                           ///< [n, classes]
  const Labels& labels;                 ///< of the n rows
  std::vector<std::int64_t> anchors;    ///< rows whose label is taken as known, in any order
  std::vector<std::int64_t> columns{};  ///< GroupPrior::only_classes: which classes; empty: those
                                        ///< that occur. The label of every row must be among them.
};

/// All that the Group Loss computes.
struct GroupLossTerms {
  Var similarity;           ///< [n, n] W
  std::vector<Var> states;  ///< [n, classes] X after 0, 1, .. iterations
  Var group;                ///< [] mean over all n rows of -log(X[i, y_i] + 1e-12)
  Var cross_entropy;        ///< [] plain, of the logits; undefined with ce_weight 0
  Var loss;                 ///< [] scaling * group + ce_weight * cross_entropy
};

/// The Group Loss (Elezi et al., ECCV 2020, as their published code computes it). Rows with a known
/// label start one-hot, the others from the prior; replicator dynamics on the similarity of the
/// features refines them; the loss is the negative log likelihood of the result, averaged over all
/// rows, anchors included, plus cross-entropy. Gradients flow through the similarity and through
/// the prior. The sizes of what is computed depend on n and the number of classes alone, except
/// with only_classes.
/// @throws ShapeError for shapes, anchors or columns that do not fit.
GroupLossTerms group_loss(const GroupLossInput& input, const GroupLossOptions& options);

}  // namespace dml
