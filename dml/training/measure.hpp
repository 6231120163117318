#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.hpp"
#include "dml/retrieval/kmeans.hpp"
#include "dml/retrieval/search.hpp"
#include "engine/event.hpp"

namespace dml {

/// How embeddings are measured.
struct MeasureOptions {
  std::string metrics = "recall@1,recall@2,recall@4,recall@8";
  Distance distance = Distance::cosine;
  KMeansOptions clustering{};  ///< `clusters` is set to the number of classes
};

/// Which rows of a set are searched for and which can be found. Empty: every row is both, and a
/// query is left out of its own gallery.
struct QueryGallery {
  std::vector<std::int64_t> query, gallery;  ///< rows, ascending
};

/// What a measurement gave, and by which rules.
struct Measurement {
  Figures figures;                                            ///< by the names that were asked for
  std::vector<std::pair<std::string, std::string>> protocol;  ///< in words, for the record
  Neighbours neighbours;                                      ///< of the search; may be empty
};

/// Searches once with the largest number of neighbours that a metric asks for, clusters once if one
/// wants it, and hands both to all metrics.
/// @param embeddings  [n, d] f32 or f64, finite
/// @param labels      [n]
/// @throws UsageError for unknown metrics, ShapeError when lengths differ.
Measurement measure(Device& device, const Tensor& embeddings, std::span<const std::int64_t> labels,
                    const QueryGallery& rows, const MeasureOptions& options);

/// The queries and the gallery of a list of images; empty when every image is both.
QueryGallery query_gallery(const std::vector<Item>& items);

}  // namespace dml
