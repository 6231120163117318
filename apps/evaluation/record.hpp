#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "data/dataset.hpp"
#include "dml/training/measure.hpp"

namespace dml {

/// An evaluation as one object: what `about` says of its source, then images, size, protocol (in
/// words) and metrics, null where one is undefined.
nlohmann::ordered_json evaluation_json(nlohmann::ordered_json about, const RetrievalSet& set,
                                       const Measurement& result);

/// The neighbours that an evaluation kept: [queries, k] places in the gallery.
void write_neighbours(const std::filesystem::path& file, const Measurement& result);

/// Leaves an evaluation of images in a folder: test.json, embeddings.npy [images, size], labels.csv
/// (row, path, label, query, gallery) and neighbours.npy.
void write_evaluation(const std::filesystem::path& folder, const nlohmann::ordered_json& record,
                      const std::vector<Item>& items, const RetrievalSet& set,
                      const Measurement& result);

}  // namespace dml
