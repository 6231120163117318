#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dml/metric.hpp"
#include "dml/retrieval/kmeans.hpp"
#include "dml/retrieval/rerank.hpp"
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

/// How a query that is itself in the gallery is kept out of its result.
enum class Exclude : std::uint8_t {
  query,  ///< by its index: exact duplicates of it are legitimate neighbours
  first,  ///< its first neighbour is dropped, whatever it is: published code that cuts off a column
};

/// "query" or "first". @throws UsageError for other words.
Exclude exclude_of(const std::string& name);

/// Over what the values of queries are averaged.
enum class Average : std::uint8_t {
  queries,
  classes,  ///< the mean of the means of the classes, so that every class counts the same
};

/// "queries" or "classes". @throws UsageError for other words.
Average average_of(const std::string& name);

/// @see evaluate
struct EvaluateOptions {
  SearchDistance distance = SearchDistance::cosine;
  Exclude exclude = Exclude::query;
  Average average = Average::queries;
  std::int64_t neighbours = 0;            ///< so many of each query are kept in the result
  KMeansOptions kmeans{};                 ///< clusters 0: as many as the gallery has classes
  std::optional<RerankOptions> rerank{};  ///< neighbours are ordered anew before they are measured
};

/// What an evaluation found, and how.
struct Evaluation {
  std::vector<std::pair<std::string, double>> values;  ///< of the metrics, by name, in order
  /// The protocol in words, by name: distance, self, ties, queries, gallery, classes, average,
  /// queries_without_positive, where there was k-means its clusters, restarts, iterations, seed,
  /// and a "metric NAME" for every metric.
  std::map<std::string, std::string> protocol;
  /// The nearest of every query by the distance of the options; k is options.neighbours, and at
  /// least 1. Empty when no metric looks at neighbours and none were asked for.
  Neighbours neighbours;
  /// [queries] of every metric that has values of queries, by its name; NaN: left out.
  std::map<std::string, std::vector<double>> of_queries;

  /// The value of a metric by the name of its column, whatever the case. @throws UsageError.
  double at(const std::string& name) const;
  /// The means of such a metric by class, ascending; classes without a usable query do not occur.
  std::map<std::int64_t, double> by_class(const std::string& name) const;
};

/// Searches once for every distance that metrics ask for, block by block of the queries, and
/// clusters where a metric wants it; no list of more than 64 MB of neighbours is held beside those
/// that the options ask to keep.
/// @throws ShapeError when sizes differ, DataError for an empty set, NumericError for NaN.
Evaluation evaluate(Device& device, const RetrievalSet& set,
                    const std::vector<std::unique_ptr<Metric>>& metrics,
                    const EvaluateOptions& options = {});

/// Queries and a gallery of their own as one set.
/// @param queries_first  the first rows of the gallery are the queries: these rows are not their
///                       own neighbours.
/// @throws ShapeError when sizes differ.
RetrievalSet query_gallery_set(const Tensor& queries, std::vector<std::int64_t> query_labels,
                               const Tensor& gallery, std::vector<std::int64_t> gallery_labels,
                               bool queries_first = false);

/// How many gallery items of its class every query has, itself excluded.
/// @param self  [queries] gallery index of the query itself, or Neighbours::none
std::vector<std::int64_t> count_positives(std::span<const std::int64_t> query_class,
                                          std::span<const std::int64_t> gallery_class,
                                          std::span<const std::int64_t> self);

}  // namespace dml
