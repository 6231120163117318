#pragma once
#include <filesystem>

#include "data/dataset.hpp"

namespace dml {

/// Reads a list of images: path,label[,split][,query][,gallery][,x,y,width,height], columns in any
/// order, named in the first line; quotes as in RFC 4180. Open Metric Learning's names are taken
/// too (is_query, is_gallery, x_1, x_2, y_1, y_2). Paths are relative to the list.
/// @param train_classes  without a column `split`: how many classes train (first ones by name);
///   0: the first half, rounded up.
/// @throws FormatError naming file and line.
Manifest read_csv_manifest(const std::filesystem::path& file, std::int64_t train_classes);

/// Numbers the classes by name, those that train first, and fills in the labels.
/// @param names  of the class of every item.
void number_classes(Manifest& manifest, const std::vector<std::string>& names);

}  // namespace dml
