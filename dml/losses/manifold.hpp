#pragma once
#include <span>

#include "engine/tape.hpp"

namespace dml {

/// @see manifold_loss
struct ManifoldTerms {
  double lambda_c = 1;   ///< weight of the context term; infinity: the context term alone
  double alpha = 0.8;    ///< how far similarity spreads, below 1
  double margin = 5e-4;  ///< by which the own proxy should be nearer than the others
};

/// Similarity diffused over the points of a batch and K proxies (Aziere and Todorovic, Ensemble
/// Deep Manifold Similarity Learning, CVPR 2019). On all points S = exp(2 max(cos, 0)) without its
/// diagonal, F = (1 - alpha)(I - alpha Q^-1/2 S Q^-1/2)^-1 with the row sums Q. The intrinsic term
/// takes A = F[samples, proxies], the context term the cosines of their rows of F; either is the
/// mean over samples i of log(1 + sum over proxies m != m_i with A_im - A_im_i + margin >= 0 of
/// exp(A_im - A_im_i + margin)).   x [n, d], proxies [k, d], meta n numbers in [0, k) -> []
Var manifold_loss(const Var& x, const Var& proxies, std::span<const std::int64_t> meta,
                  const ManifoldTerms& terms);

/// (I - a)^-1 of a matrix whose spectral radius is at most `radius` < 1, by matrix products alone:
/// the product of I + a^(2^k).   [n, n] -> [n, n]
Var neumann_inverse(const Var& a, double radius);

}  // namespace dml
