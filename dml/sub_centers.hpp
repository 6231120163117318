#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/device.hpp"

namespace dml {

/// @see sub_center_outliers
struct SubCenterOutliers {
  std::vector<std::int64_t> outliers;  ///< rows, ascending
  std::vector<std::int64_t> dominant;  ///< [classes] vector that most rows of the class are nearest
                                       ///< to; 0 for a class without rows
};

/// Images that may be mislabelled, by the vectors of sub_center_arcface: the dominant vector of a
/// class is the one that is nearest to most of its rows, and an outlier is a row whose cosine to
/// the dominant vector of its class is below cos(threshold).
/// @param x [n, d] embeddings  @param labels n classes
/// @param vectors [classes * sub_centers, d], vector k of class c in row c * sub_centers + k
/// @param threshold  in degrees
/// @throws ShapeError when sizes differ or a label has no vectors.
SubCenterOutliers sub_center_outliers(Device& device, const Tensor& x,
                                      std::span<const std::int64_t> labels, const Tensor& vectors,
                                      std::int64_t sub_centers, double threshold = 75);

}  // namespace dml
