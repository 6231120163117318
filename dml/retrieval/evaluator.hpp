#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dml/metric.hpp"
#include "dml/retrieval/kmeans.hpp"
#include "dml/retrieval/search.hpp"

namespace dml {

/// What is to be evaluated.
struct RetrievalSet {
  Tensor embeddings;                 ///< [n, d] f32 or f64
  std::vector<std::int64_t> labels;  ///< [n] the class of every row
  /// Rows that are searched for, and rows that can be found. Empty: all. A query that is in the
  /// gallery is left out of its own result.
  std::vector<std::int64_t> queries{};
  std::vector<std::int64_t> gallery{};
};

/// @see evaluate
struct EvaluateOptions {
  Distance distance = Distance::cosine;
  std::int64_t neighbours = 0;  ///< found even if no metric asks for so many
  KMeansOptions kmeans{};       ///< clusters 0: as many as the gallery has classes
};

/// What an evaluation found, and how.
struct Evaluation {
  std::vector<std::pair<std::string, double>> values;  ///< of the metrics, by name, in order
  /// The protocol in words, by name: distance, self, ties, queries, gallery, classes,
  /// queries_without_positive, and where there was k-means its clusters, restarts, iterations,
  /// seed.
  std::map<std::string, std::string> protocol;
  Neighbours neighbours;              ///< of the largest k that was asked for
  std::vector<std::int64_t> cluster;  ///< [gallery]; empty when no metric wanted it

  /// The value of a metric by the name of its column, whatever the case. @throws UsageError.
  double at(const std::string& name) const;
};

/// Searches once with the largest k that a metric asks for, clusters once if one wants it, and
/// hands the findings to all metrics.
/// @throws ShapeError when sizes differ, DataError for an empty set, NumericError for NaN.
Evaluation evaluate(Device& device, const RetrievalSet& set,
                    const std::vector<std::unique_ptr<Metric>>& metrics,
                    const EvaluateOptions& options = {});

/// How many gallery items of its class every query has, itself excluded.
/// @param self  [queries] gallery index of the query itself, or Neighbours::none
std::vector<std::int64_t> count_positives(std::span<const std::int64_t> query_class,
                                          std::span<const std::int64_t> gallery_class,
                                          std::span<const std::int64_t> self);

}  // namespace dml
