#pragma once
#include "dml/labels.hpp"
#include "dml/revisiting/triplets.hpp"
#include "engine/random.hpp"
#include "engine/tape.hpp"

/// The losses of LM-Metric (Yan et al., TechRxiv 2023), whose terms carry a weight for every sample
/// of the batch (margin: revisiting::margin). Embeddings [n, d]; weights phi [n], above 0; all
/// return [].
namespace dml::lm {

/// 1 - mean AP with smooth ranks (Brown et al., Smooth-AP, ECCV 2020), the query among the ranked
/// items. The weight of an item multiplies its rank among all, not that among its class, so the
/// value may be negative:
///   rank+ = 1 + sum_{j != i of its class} s,  rank = 1 + phi_i sum_{j != i} s,  AP = mean
///   rank+/rank
Var weighted_smooth_ap(const Var& v, const Labels& labels, const Var& phi, double tau = 0.01);

/// One triplet for every row: a positive uniform in its class (the row itself where it is alone)
/// and a negative by distance weighting. Rows without a negative count 0. v gets no gradient.
revisiting::Triplets distance_triplets(const Var& v, const Labels& labels, const Random& random,
                                       bool nan_to_number);

/// Proxy Anchor loss (Kim et al., CVPR 2020) with weights on the exponentials of both sides:
///   1/|P+| sum_p log(1 + sum_{i of p} phi_i exp(-alpha (cos_ip - delta)))
/// + 1/C    sum_p log(1 + sum_{i not of p} phi_i exp(alpha (cos_ip + delta)))
/// v as it is, proxies over sqrt(|p|^2 + 1e-12).   proxies [classes, d]
Var weighted_proxy_anchor(const Var& v, const Labels& labels, const Var& proxies, const Var& phi,
                          double alpha = 32, double delta = 0.1);

/// Mean of -phi_i log softmax(v W^T)[y_i], rows of W of unit length, no temperature.
/// class_map [classes, d]
Var weighted_softmax(const Var& v, const Labels& labels, const Var& class_map, const Var& phi);

/// Average precision of every sample inside the batch, the query included: ranked by ascending
/// 1 - v v^T, of equal ones the lower row first. No gradient.   [n]
Var batch_average_precision(const Var& v, const Labels& labels);

}  // namespace dml::lm
