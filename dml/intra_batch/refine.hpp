#pragma once
#include <span>

#include "dml/intra_batch/k_reciprocal.hpp"
#include "dml/intra_batch/network.hpp"

namespace dml::intra_batch {

/// The embeddings of a whole set, refined by message passing within batches of reciprocal
/// neighbours (the pseudo-batch test). Where queries and gallery are different rows, the queries
/// alone are refined, among their neighbours in the gallery.
/// @param embeddings        [n, d] normalised, host
/// @param queries, gallery  rows; empty: all
/// @return                  [n, network.width()] f32, host
/// @throws UsageError when gallery rows keep d numbers and refined ones have others.
Tensor refine(Device& device, const Network& network, const Tensor& embeddings,
              std::span<const std::int64_t> queries, std::span<const std::int64_t> gallery,
              const ReciprocalOptions& options);

}  // namespace dml::intra_batch
