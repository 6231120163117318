#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

#include "dml/neighbours.hpp"

namespace dml {

/// What leaves a query out of a mean.
inline constexpr double left_out = std::numeric_limits<double>::quiet_NaN();

/// Gives every query with positives value(query, its positives), and leaves the others out.
template <class Value>
void score_with_positives(const Neighbours& block, std::span<double> out, Value value) {
  for (std::int64_t q = 0; q < block.queries; ++q) {
    const std::int64_t positives = block.positives[static_cast<std::size_t>(q)];
    out[static_cast<std::size_t>(q)] = positives > 0 ? value(q, positives) : left_out;
  }
}

/// What the first neighbours of a query hold.
struct Hits {
  std::int64_t count = 0;  ///< hits
  double precision = 0;    ///< sum over the hits of the precision at their ranks
};

/// Walks through the first `depth` neighbours of query q, or all that there are.
inline Hits hits_of(const Neighbours& block, std::int64_t q, std::int64_t depth) {
  Hits hits;
  const std::int64_t last = std::min(depth, block.k);
  for (std::int64_t r = 0; r < last; ++r) {
    if (!block.hit(q, r)) continue;
    ++hits.count;
    hits.precision += static_cast<double>(hits.count) / static_cast<double>(r + 1);
  }
  return hits;
}

/// A depth of 0 stands for the whole ranking.
inline std::int64_t depth_of(std::int64_t k) {
  return k == 0 ? std::numeric_limits<std::int64_t>::max() : k;
}

}  // namespace dml
