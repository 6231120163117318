#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/tape.hpp"

namespace dml::intra_batch {

/// Cosine of every query with every gallery row, rows divided by sqrt(|x|^2 + 1e-12) as the
/// evaluation of In-Shop does.   [q, d], [n, d] -> [q, n]
Var inshop_similarity(const Var& queries, const Var& gallery);

/// The share of queries for which fewer than k gallery rows of other classes are strictly more
/// similar than the best row of their own class; a tie counts for the query.
/// @param similarity  [q, n] f32 or f64, host
/// @throws DataError naming the first query whose class is not in the gallery.
std::vector<double> inshop_recall(const Tensor& similarity, std::span<const std::int64_t> queries,
                                  std::span<const std::int64_t> gallery,
                                  std::span<const std::int64_t> ks);

}  // namespace dml::intra_batch
