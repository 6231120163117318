#pragma once
#include <string>

#include "dml/labels.hpp"
#include "dml/revisiting/triplets.hpp"

/// The criteria of Revisiting-DML (Roth et al., Revisiting Training Strategies and Generalization
/// Performance in Deep Metric Learning, ICML 2020;
/// Confusezius/Revisiting_Deep_Metric_Learning_PyTorch) on what its miners choose. Embeddings v [n,
/// d] as they come; all return [], 0 where nothing is to be learnt.
namespace dml::revisiting {

/// Mean over triplets of [d(a, p) - positive]+ plus mean of [negative - d(a, n)]+, with
/// d(u, v) = |u - v + 1e-6|, the constant added to every component. Inactive terms count.
Var contrastive(const Var& v, const Triplets& triplets, double positive = 0, double negative = 1);

/// Mean over triplets of [|a - p|^2 - |a - n|^2 + margin]+; inactive ones count.
Var triplet(const Var& v, const Triplets& triplets, double margin = 0.2);

/// @see margin
struct MarginOptions {
  double margin = 0.2;
  double nu = 0;  ///< weight of the sum of beta over the triplets
};

/// Margin loss (Wu et al., ICCV 2017): the sum over triplets of
/// [phi_p[a] d(a, p) - beta + margin]+ + [beta - phi_n[a] d(a, n) + margin]+, d = sqrt(|.|^2 +
/// 1e-8), divided by the number of triplets of which a term is above 0 (one with both counts once).
/// @param beta  [t], of each triplet's anchor.
/// @param phi_p, phi_n  [n] weights of LM-Metric; undefined: 1
Var margin(const Var& v, const Triplets& triplets, const Var& beta,
           const MarginOptions& options = {}, const Var& phi_p = {}, const Var& phi_n = {});

/// Generalised lifted structure (Hermans et al., 2017): mean over anchors with a positive of
/// [log sum_p exp d(a, p) + log sum_n exp(margin - d(a, n))]+ plus l2 times the mean length of all
/// rows; d as in contrastive.
Var lifted(const Var& v, const Labels& labels, double margin = 1, double l2 = 0.005);

/// An anchor and its positive with a set of negatives: row i of `without` [t, n] u8 is 0 at the
/// negatives of anchor i.
struct NegativeSets {
  Tensor anchor, positive;  ///< [t] i64
  Tensor without;           ///< [t, n] u8
  Tensor counted{};         ///< [t], 0 or 1; undefined: all 1
};

/// Mean over anchors of log(1 + sum_n exp(z_a (z_n - z_p))) plus l2 times the mean length of the
/// rows of z = v / divisor (Sohn, NIPS 2016). Without anchors 0.
Var npair(const Var& v, const NegativeSets& sets, double l2 = 0.005, double divisor = 1);

/// @see angular
struct AngularOptions {
  double alpha = 45;  ///< degrees
  double weight = 2;  ///< of the angular term
  double l2 = 0.005;
};

/// N-pair term with exponents cut to [-50, 50], plus weight times the angular term on unit vectors,
/// plus l2 times the mean length (Wang et al., Deep Metric Learning with Angular Loss, ICCV 2017):
/// mean over anchors of log(1 + sum_n exp(4 t (a + p) n - 2 (1 + t) a p)),  t = tan^2 alpha.
Var angular(const Var& v, const NegativeSets& sets, const AngularOptions& options = {});

/// Mean of [|a - p| - |a - n| + first]+ over triplets i plus mean of [|a_i - p_i| - |n_i - f_j| +
/// second]+ over all pairs (i, j), as published; with `paper` over i = j (Chen et al., CVPR 2017).
/// @param fourth  [t] i64, a row for every triplet
Var quadruplet(const Var& v, const Triplets& triplets, const Tensor& fourth, double first = 0.2,
               double second = 0.2, bool paper = false);
/// Which rows the fourth of a triplet is drawn from, [t, n] weights 0 or 1: the positions k whose
/// triplet has another negative (t = n); with `paper`, the rows of neither the class of the anchor
/// nor that of the negative.
Tensor fourth_candidates(const Var& v, const Triplets& triplets, const Labels& labels, bool paper);

/// Signal-to-noise ratio (Yuan et al., CVPR 2019): r(u, v) = var(u - v) / var(u); the mean over
/// active triplets of [r(a, p) - r(a, n) + margin]+ plus lambda times the mean of |sum of features|
/// of the anchors.
Var snr(const Var& v, const Triplets& triplets, double margin = 0.2, double lambda = 0.005);

/// @see multisimilarity
struct MultisimilarityOptions {
  double positive = 2;   ///< alpha
  double negative = 40;  ///< gamma
  double margin = 0.1;
  double threshold = 0.5;
};

/// Multi-similarity (Wang et al., CVPR 2019) with its own mining: negatives with S + margin > the
/// least positive similarity, positives with S - margin < the largest negative one; the mean over
/// anchors that keep both.
Var multisimilarity(const Var& v, const Labels& labels, const MultisimilarityOptions& options = {});

/// Histogram loss (Ustinova and Lempitsky, NIPS 2016): the estimated chance that a negative pair is
/// more similar than a positive one, from histograms with linear assignment to `bins` nodes.
Var histogram(const Var& v, const Labels& labels, std::int64_t bins = 65);

/// The regressor of a direction of adversarial_separation: Linear, ReLU, Linear.
struct Regressor {
  Var weight0, bias0, weight2, bias2;
};

/// -mean((f_t * normalise(regressor(f_s)))^2), f the unit rows of the embeddings behind a reversal
/// of the gradient: the regressor minimises what the embeddings maximise (DiVA, Milbich et al.,
/// 2020).
Var adversarial_separation(const Var& source, const Var& target, const Regressor& regressor);

}  // namespace dml::revisiting
