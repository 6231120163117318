#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
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
/// @param words  what every line has at least.
/// @throws DataError when it cannot be read, FormatError naming the entry that is too short.
std::vector<std::vector<std::string>> table(const std::filesystem::path& file,
                                            std::size_t words = 1);

/// A whole number in entry `row` (from 0) of a list. @throws FormatError.
std::int64_t integer(const std::string& text, const std::filesystem::path& list, std::size_t row);

/// A list must not lead out of its own folder. @throws FormatError when this path does.
void require_inside(const std::string& path, const std::filesystem::path& list);

/// @throws DataError with the number of images that are not there and the first of them.
void require_files(const Manifest& manifest, const std::string& dataset,
                   const std::filesystem::path& list);

/// The rank of every key among all of them: the labels of classes that a list numbers with gaps.
std::map<std::int64_t, std::int64_t> ranks(const std::vector<std::int64_t>& keys);

/// The first of several places below root that exists; none when none does.
std::optional<std::filesystem::path> first_existing(const std::filesystem::path& root,
                                                    std::initializer_list<const char*> places);

/// folder/CLASS/image: the first `train` classes by name train, of 0 the first half, rounded up.
/// @throws DataError when fewer than two folders hold images.
Manifest class_folders(const std::filesystem::path& folder, const std::string& dataset,
                       std::int64_t train = 0);

/// How many of `classes` classes train: `wanted`, or the first half (rounded up) when it is 0.
/// @throws UsageError when no class would be left for testing.
std::int64_t train_classes(std::int64_t classes, std::int64_t wanted);

}  // namespace dml::listing
