#pragma once
#include <cstdint>
#include <span>

namespace dml {

/// By which mean of the two entropies mutual information is divided.
enum class NmiMean : std::uint8_t { arithmetic, geometric };

/// Normalised mutual information of two partitions of the same items: I(a; b) / mean(H(a), H(b)).
/// 1 when both have a single part; symmetric; between 0 and 1.
/// @throws ShapeError when the lengths differ or are 0.
double normalised_mutual_information(std::span<const std::int64_t> a,
                                     std::span<const std::int64_t> b,
                                     NmiMean mean = NmiMean::arithmetic);

}  // namespace dml
