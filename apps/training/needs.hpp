#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "dml/requirements.hpp"
#include "engine/registry.hpp"

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

/// What to say where the test crop shows less than half of the photograph, else "".
/// @param augment  its settings; `resize` is the shorter side before the crop
std::string small_crop(const Settings& augment, std::int64_t image_size);

}  // namespace dml
