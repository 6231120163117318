#pragma once
#include <cstdint>
#include <span>

namespace dml::division {

/// The mean average R-precision that Divide & Conquer reports. For a query with R gallery images of
/// its class (one less where query and gallery are the same list), of the first R neighbours: the
/// sum of the precisions at the hits, divided by the number of hits (0 where there is none). It
/// divides by hits, not by R, so it is higher than MAP@R and must not be compared with it.
/// @param retrieved  [queries][width] classes of the neighbours, nearest first
double mean_average_r_precision(std::span<const std::int64_t> queries,
                                std::span<const std::int64_t> gallery,
                                std::span<const std::int64_t> retrieved, std::int64_t width);

}  // namespace dml::division
