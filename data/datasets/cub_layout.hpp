#pragma once
#include <filesystem>
#include <string>

#include "data/dataset.hpp"

namespace dml {

/// Reads a folder in the layout of CUB-200-2011: images.txt (id, path below images/),
/// image_class_labels.txt (id, class from 1), classes.txt (class, name; may be absent).
/// @param train_classes  the first classes train, the others test; 0: the first half, rounded up.
/// @throws FormatError when the lists are damaged or disagree, DataError when files are missing.
Manifest read_cub_layout(const std::filesystem::path& folder, std::int64_t train_classes,
                         const std::string& dataset);

}  // namespace dml
