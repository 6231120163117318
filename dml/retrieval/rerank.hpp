#pragma once
#include <cstdint>
#include <span>

#include "dml/retrieval/search.hpp"

namespace dml {

/// @see rerank_blocks
struct RerankOptions {
  std::int64_t k1 = 20;  ///< neighbours that must be mutual
  std::int64_t k2 = 6;   ///< neighbours whose encodings are averaged
  double lambda = 0.3;   ///< weight of the original distance; the rest is the Jaccard distance
};

/// k-reciprocal re-ranking (Zhong et al., Re-ranking Person Re-identification with k-reciprocal
/// Encoding, CVPR 2017): orders the gallery of every query by
///     lambda d(q, g) + (1 - lambda) (1 - sum_j min(V_q, V_g) / sum_j max(V_q, V_g)),
/// d being the squared distance divided by the largest of its row, V the Gaussian weights of the
/// expanded k-reciprocal neighbours, averaged over the k2 nearest. Neighbours are looked for among
/// queries and gallery together, as published; unlike there, no matrix of all distances is held:
/// memory grows with (queries + gallery) x k1 x k2.
///
/// @param rows     [n, d] f32 or f64 on the host, finite: all that takes part
/// @param queries, gallery  which of the rows are searched for, and can be found
/// @param self     [queries] gallery index that a query itself has, and that is left out, or none
/// @param options  distance and k; its blocks as in search_blocks. Distances handed over are those
///                 of the formula above.
/// @throws UsageError for k1, k2 < 1 or lambda outside 0..1.
void rerank_blocks(Device& device, const Tensor& rows, std::span<const std::int64_t> queries,
                   std::span<const std::int64_t> gallery, std::span<const std::int64_t> self,
                   const RerankOptions& rerank, const SearchOptions& options,
                   const TakeBlock& take);

}  // namespace dml
