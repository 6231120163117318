#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace dml {

/// The rows of a batch whose label the Group Loss takes as known: walking through the batch in
/// order, the first `per_class` rows of each class. A class counts once in the whole batch, however
/// many chunks it fills. Ascending; empty for per_class 0.
std::vector<std::int64_t> choose_anchors(std::span<const std::int64_t> labels,
                                         std::int64_t per_class);

}  // namespace dml
