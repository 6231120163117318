#pragma once
#include <vector>

#include "dml/retrieval/evaluator.hpp"
#include "engine/event.hpp"

namespace dml {

/// How far apart pairs of a class are, and pairs of different classes: two histograms of cosine
/// distances (1 - cosine, 0..2), `distance_positive` and `distance_negative`. Of a large set whole
/// classes are taken, evenly spread, about `most_rows` rows in all, so that the cost stays small.
/// A histogram without a pair is left out.
std::vector<Histogram> distance_histograms(Device& device, const RetrievalSet& set,
                                           std::int64_t most_rows = 1024);

}  // namespace dml
