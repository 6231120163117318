#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dml/samplers/points.hpp"

namespace dml {

/// How often every point occurs in the triplets (a, p, n), of all of the classes, with
/// d(a, n) - d(a, p) <= margin, d being the Euclidean distance of rows of length 1. No triplet is
/// listed.   -> [n]
std::vector<double> count_in_triplets(const Points& units, std::span<const std::int64_t> classes,
                                      double margin);

/// How often every point occurs in the pairs that multi-similarity mining keeps: (a, p) with
/// <a, p> - epsilon < max_n <a, n>, (a, n) with <a, n> + epsilon > min_p <a, p>.   -> [n]
std::vector<double> count_in_similar_pairs(const Points& units,
                                           std::span<const std::int64_t> classes, double epsilon);

}  // namespace dml
