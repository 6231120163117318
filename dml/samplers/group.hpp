#pragma once
#include <cstdint>
#include <vector>

namespace dml {

/// Cuts the (shuffled) image lists of all classes into chunks, as the published code of the Group
/// Loss: every list of s images is extended by its own first min(s, M - s + 1), M being the size
/// of the largest class, then cut into consecutive chunks; incomplete chunks are dropped.
std::vector<std::vector<std::int64_t>> group_chunks(std::vector<std::vector<std::int64_t>> classes,
                                                    std::int64_t images_per_class);

/// Batches of that many consecutive chunks; an incomplete last batch is dropped.
std::vector<std::vector<std::int64_t>> join_chunks(
    const std::vector<std::vector<std::int64_t>>& chunks, std::int64_t classes_per_batch);

}  // namespace dml
