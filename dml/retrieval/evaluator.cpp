#include "dml/retrieval/evaluator.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>

#include "engine/names.hpp"

namespace dml {
namespace {

/// The chosen rows, or all.
std::vector<std::int64_t> rows_or_all(const std::vector<std::int64_t>& chosen, std::int64_t n) {
  std::vector<std::int64_t> rows = chosen;
  if (rows.empty()) {
    rows.resize(static_cast<std::size_t>(n));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
  }
  for (const std::int64_t row : rows)
    DML_CHECK(row >= 0 && row < n, fmt::format("evaluate: row {} of {} embeddings", row, n));
  return rows;
}

Tensor take_rows(const Tensor& x, const std::vector<std::int64_t>& rows) {
  if (static_cast<std::int64_t>(rows.size()) == x.dim(0) &&
      std::is_sorted(rows.begin(), rows.end()) &&
      std::adjacent_find(rows.begin(), rows.end()) == rows.end())
    return x;  // every row, in order
  Tensor result = Tensor::empty({static_cast<std::int64_t>(rows.size()), x.dim(1)}, x.dtype());
  visit_float(x.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(x.raw<T>() + rows[i] * x.dim(1), x.dim(1),
                  result.raw<T>() + static_cast<std::int64_t>(i) * x.dim(1));
  });
  return result;
}

std::vector<std::int64_t> take(const std::vector<std::int64_t>& values,
                               const std::vector<std::int64_t>& rows) {
  std::vector<std::int64_t> result;
  result.reserve(rows.size());
  for (const std::int64_t row : rows) result.push_back(values[static_cast<std::size_t>(row)]);
  return result;
}

/// Where every query stands in the gallery, or none.
std::vector<std::int64_t> places(const std::vector<std::int64_t>& queries,
                                 const std::vector<std::int64_t>& gallery) {
  std::unordered_map<std::int64_t, std::int64_t> place;
  for (std::size_t i = 0; i < gallery.size(); ++i)
    place.emplace(gallery[i], static_cast<std::int64_t>(i));
  std::vector<std::int64_t> result;
  for (const std::int64_t row : queries) {
    const auto found = place.find(row);
    result.push_back(found == place.end() ? Neighbours::none : found->second);
  }
  return result;
}

std::map<std::string, std::string> describe_search(const Neighbours& found, Distance distance,
                                                   std::size_t classes) {
  const auto alone = std::count(found.positives.begin(), found.positives.end(), 0);
  return {
      {"distance", name_of(distance)},
      {"normalisation", distance == Distance::cosine ? "rows divided by their length" : "none"},
      {"self", "a query is left out of its own gallery, by index"},
      {"ties", "the lower gallery index first"},
      {"queries", std::to_string(found.queries)},
      {"gallery", std::to_string(found.gallery_class.size())},
      {"classes", std::to_string(classes)},
      {"queries_without_positive",
       fmt::format("{} (misses for recall and precision@1, left out of R-precision and MAP@R)",
                   alone)},
  };
}

}  // namespace

std::vector<std::int64_t> count_positives(std::span<const std::int64_t> query_class,
                                          std::span<const std::int64_t> gallery_class,
                                          std::span<const std::int64_t> self) {
  std::unordered_map<std::int64_t, std::int64_t> size;
  for (const std::int64_t label : gallery_class) ++size[label];
  std::vector<std::int64_t> result;
  result.reserve(query_class.size());
  for (std::size_t q = 0; q < query_class.size(); ++q) {
    const auto found = size.find(query_class[q]);
    const bool inside = !self.empty() && self[q] != Neighbours::none;
    result.push_back((found == size.end() ? 0 : found->second) - (inside ? 1 : 0));
  }
  return result;
}

double Evaluation::at(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& [column, value] : values) {
    if (canonical(column) == canonical(name)) return value;
    known.push_back(column);
  }
  throw UsageError(
      fmt::format("the evaluation has no value '{}'{}", name, suggestion(name, known)));
}

Evaluation evaluate(Device& device, const RetrievalSet& set,
                    const std::vector<std::unique_ptr<Metric>>& metrics,
                    const EvaluateOptions& options) {
  DML_CHECK(set.embeddings.rank() == 2,
            "evaluate: embeddings must be [n, d], not " + to_string(set.embeddings.shape()));
  const std::int64_t n = set.embeddings.dim(0);
  DML_CHECK(static_cast<std::int64_t>(set.labels.size()) == n,
            fmt::format("evaluate: {} labels for {} embeddings", set.labels.size(), n));
  if (n == 0) throw DataError("evaluate: there is no image to search for");

  const Tensor embeddings = set.embeddings.to_host().dense();
  const std::vector<std::int64_t> query_rows = rows_or_all(set.queries, n);
  const std::vector<std::int64_t> gallery_rows = rows_or_all(set.gallery, n);
  const std::vector<std::int64_t> query_class = take(set.labels, query_rows);
  const std::vector<std::int64_t> gallery_class = take(set.labels, gallery_rows);
  const std::vector<std::int64_t> self = places(query_rows, gallery_rows);
  const std::vector<std::int64_t> positives = count_positives(query_class, gallery_class, self);
  const std::set<std::int64_t> classes(gallery_class.begin(), gallery_class.end());

  const GroundTruth truth{query_class, gallery_class, positives};
  std::int64_t k = std::max<std::int64_t>(1, options.neighbours);
  bool clusters = false;
  for (const auto& metric : metrics) {
    k = std::max(k, metric->neighbours_needed(truth));
    clusters = clusters || metric->clusters_needed();
  }

  Evaluation result;
  const Tensor gallery = take_rows(embeddings, gallery_rows);
  result.neighbours = search(device, take_rows(embeddings, query_rows), gallery, self,
                             {.distance = options.distance, .k = k});
  result.neighbours.query_class = query_class;
  result.neighbours.gallery_class = gallery_class;
  result.neighbours.positives = positives;
  result.protocol = describe_search(result.neighbours, options.distance, classes.size());
  if (clusters) {
    KMeansOptions kmeans_options = options.kmeans;
    if (kmeans_options.clusters == 0)
      kmeans_options.clusters = static_cast<std::int64_t>(classes.size());
    const bool cosine = options.distance == Distance::cosine;
    result.cluster = kmeans(device, cosine ? unit_rows(gallery) : gallery, kmeans_options).cluster;
    result.protocol["kmeans_clusters"] = std::to_string(kmeans_options.clusters);
    result.protocol["kmeans_restarts"] = std::to_string(kmeans_options.restarts);
    result.protocol["kmeans_iterations"] = std::to_string(kmeans_options.iterations);
    result.protocol["kmeans_seed"] = std::to_string(kmeans_options.seed);
  }
  for (const auto& metric : metrics)
    result.values.emplace_back(metric->name(), (*metric)({result.neighbours, result.cluster}));
  return result;
}

}  // namespace dml
