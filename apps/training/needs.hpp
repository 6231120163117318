#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "dml/requirements.hpp"
#include "engine/config.hpp"

namespace dml {

/// Whether the classes are large enough for a loss. Said before the first image is read.
/// @param batches  what the sampler promises: a class with fewer images repeats them, or is left
/// out
/// @param tell     hears of classes that are too small, where enough others are not
/// @throws UsageError when too few classes have as many images as the loss needs.
void require_images(const std::vector<Item>& train, const Requirements& needed,
                    const std::string& loss, const Guarantee& batches,
                    const std::function<void(const std::string&)>& tell);

/// Whether images can be searched for: there are queries, a gallery, and in it another image of the
/// class of some query.
/// @throws DataError that says what is missing.
void require_queries(const std::vector<Item>& items, const std::string& dataset,
                     const std::string& split);

/// Settings that go badly together though each is allowed: a test crop that shows less than half of
/// the photograph, a net that rests until the run has ended.
std::vector<std::string> doubts(const Config& config, std::int64_t steps_per_epoch);

}  // namespace dml
