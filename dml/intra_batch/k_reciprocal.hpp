#pragma once
#include <cstdint>
#include <vector>

#include "engine/device.hpp"

namespace dml::intra_batch {

/// @see k_reciprocal_batches
struct ReciprocalOptions {
  std::int64_t size = 7;  ///< images in a batch, the query among them
  std::int64_t k1 = 30;   ///< neighbours that count, beside the image itself
};

/// For every row the batch in which it is refined at test time: the row itself, then the rows that
/// are neighbours of each other, nearest first (section 11 of the published procedure). Of the
/// k1 + 1 nearest rows (itself included) those stay whose own k1 + 1 nearest hold the query; the
/// reciprocal neighbours of these, of half the size, join when more than two thirds of them are
/// there already; the nearest rows fill what is missing.
///
/// @param x  [n, d] f32 or f64, host, finite
/// @return   [n][size], or fewer columns where there are fewer rows
std::vector<std::vector<std::int64_t>> k_reciprocal_batches(Device& device, const Tensor& x,
                                                            const ReciprocalOptions& options);

/// The same where queries are searched for in a gallery: neighbours must be near both ways between
/// query and gallery, and are joined by reciprocal neighbours within the gallery.
/// @return [queries][size - 1] positions in the gallery
std::vector<std::vector<std::int64_t>> k_reciprocal_batches(Device& device, const Tensor& queries,
                                                            const Tensor& gallery,
                                                            const ReciprocalOptions& options);

}  // namespace dml::intra_batch
