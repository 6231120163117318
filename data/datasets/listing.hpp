#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace dml::listing {

/// Whether a file counts as an image: by extension (jpg, jpeg, png, ppm, bmp, pgm, tif, tiff, webp,
/// in any case), unless its name begins with "._" (left behind by macOS).
bool is_image(const std::filesystem::path& file);

/// The folders inside a folder, by name; hidden ones are left out.
/// @throws DataError when it cannot be read.
std::vector<std::filesystem::path> folders(const std::filesystem::path& folder);
/// The images directly inside a folder, by name.
std::vector<std::filesystem::path> images(const std::filesystem::path& folder);

/// Lines of a text file as words separated by blanks; empty lines are left out.
/// @throws DataError when it cannot be read.
std::vector<std::vector<std::string>> table(const std::filesystem::path& file);

/// How many of `classes` classes train: `wanted`, or the first half (rounded up) when it is 0.
/// @throws UsageError when no class would be left for testing.
std::int64_t train_classes(std::int64_t classes, std::int64_t wanted);

}  // namespace dml::listing
