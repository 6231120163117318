#include "data/datasets/cub_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

/// Image id -> class from 1.
std::map<std::int64_t, std::int64_t> read_labels(const fs::path& file) {
  std::map<std::int64_t, std::int64_t> labels;
  const Rows rows = listing::table(file, 2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t label = listing::integer(rows[i][1], file, i);
    if (label < 1 || label > 10000000)
      throw FormatError(
          fmt::format("{}: entry {}: class {}; classes count from 1", file.string(), i + 1, label));
    labels[listing::integer(rows[i][0], file, i)] = label;
  }
  return labels;
}

std::vector<std::string> class_names(const fs::path& file, const Manifest& manifest,
                                     std::int64_t classes) {
  std::vector<std::string> names(static_cast<std::size_t>(classes));
  for (const Item& item : manifest.items)
    names[static_cast<std::size_t>(item.label)] = item.file.parent_path().filename().string();
  if (!fs::exists(file)) return names;
  const Rows rows = listing::table(file, 2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t label = listing::integer(rows[i][0], file, i);
    if (label >= 1 && label <= classes) names[static_cast<std::size_t>(label - 1)] = rows[i][1];
  }
  return names;
}

}  // namespace

Manifest read_cub_layout(const fs::path& folder, std::int64_t train_classes,
                         const std::string& dataset) {
  const fs::path list = folder / "images.txt", label_list = folder / "image_class_labels.txt";
  const Rows files = listing::table(list, 2);
  const auto labels = read_labels(label_list);
  if (files.empty() || files.size() != labels.size())
    throw FormatError(fmt::format("{}: {} images, but {} labels in {}", list.string(), files.size(),
                                  labels.size(), label_list.filename().string()));
  std::int64_t classes = 0;
  for (const auto& [id, label] : labels) classes = std::max(classes, label);
  const std::int64_t split = listing::train_classes(classes, train_classes);
  Manifest manifest;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto label = labels.find(listing::integer(files[i][0], list, i));
    if (label == labels.end())
      throw FormatError(fmt::format("{}: image {} has no entry in {}", list.string(), files[i][0],
                                    label_list.filename().string()));
    listing::require_inside(files[i][1], list);
    const bool trains = label->second <= split;
    manifest.items.push_back({.file = folder / "images" / files[i][1],
                              .label = label->second - 1,
                              .split = trains ? Split::train : Split::test});
  }
  manifest.class_names = class_names(folder / "classes.txt", manifest, classes);
  manifest.root = folder;
  manifest.layout = folder.filename().string() + " (images.txt, image_class_labels.txt)";
  listing::require_files(manifest, dataset, list);
  return manifest;
}

}  // namespace dml
