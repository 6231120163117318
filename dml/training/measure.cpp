#include "dml/training/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "dml/metric.hpp"
#include "engine/check.hpp"

namespace dml {
namespace {

using Rows = std::vector<std::int64_t>;

Rows all_rows(std::int64_t n) {
  Rows rows(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  return rows;
}

Tensor take_rows(const Tensor& x, const Rows& rows) {
  const std::int64_t d = x.dim(1);
  Tensor result = Tensor::empty({static_cast<std::int64_t>(rows.size()), d}, x.dtype());
  visit_float(x.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::ranges::copy(x.row<T>(rows[i]), result.row<T>(static_cast<std::int64_t>(i)).begin());
  });
  return result;
}

Rows take(std::span<const std::int64_t> values, const Rows& rows) {
  Rows result;
  for (const std::int64_t row : rows) result.push_back(values[static_cast<std::size_t>(row)]);
  return result;
}

/// For every query its place in the gallery, or none.
Rows places(const QueryGallery& rows) {
  std::map<std::int64_t, std::int64_t> place;
  for (std::size_t i = 0; i < rows.gallery.size(); ++i)
    place[rows.gallery[i]] = static_cast<std::int64_t>(i);
  Rows self;
  for (const std::int64_t row : rows.query) {
    const auto found = place.find(row);
    self.push_back(found == place.end() ? Neighbours::none : found->second);
  }
  return self;
}

/// How many gallery items every query has of its class, itself excluded.
Rows count_positives(const Rows& query_class, const Rows& gallery_class, const Rows& self) {
  std::map<std::int64_t, std::int64_t> members;
  for (const std::int64_t label : gallery_class) ++members[label];
  Rows positives;
  for (std::size_t q = 0; q < query_class.size(); ++q)
    positives.push_back(members[query_class[q]] - (self[q] == Neighbours::none ? 0 : 1));
  return positives;
}

struct NamedMetric {
  std::string name;
  std::unique_ptr<Metric> metric;
};

std::vector<NamedMetric> metrics_of(const std::string& list) {
  std::vector<NamedMetric> metrics;
  std::istringstream stream(list);
  for (std::string name; std::getline(stream, name, ',');) {
    std::erase(name, ' ');
    if (!name.empty()) metrics.push_back({name, make_metric(name)});
  }
  return metrics;
}

void describe_protocol(Measurement& result, const MeasureOptions& options, const Rows& positives,
                       bool leave_out, bool clustered) {
  const auto without = std::count(positives.begin(), positives.end(), 0);
  const auto add = [&](const char* key, std::string text) {
    result.protocol.emplace_back(key, std::move(text));
  };
  add("distance", name_of(options.distance));
  add("normalisation",
      options.distance == Distance::cosine ? "rows divided by max(length, 1e-12)" : "none");
  add("query_in_gallery",
      leave_out ? "left out by its index" : "queries and gallery are different images");
  add("ties", "equal distances: the lower gallery index first");
  add("queries_without_positive",
      fmt::format("{}; misses for recall, left out of R-precision and MAP@R", without));
  if (clustered)
    add("kmeans", fmt::format("{} clusters, {} restarts, {} iterations, seed {}, on {} embeddings",
                              options.clustering.clusters, options.clustering.restarts,
                              options.clustering.iterations, options.clustering.seed,
                              options.distance == Distance::cosine ? "normalised" : "plain"));
}

}  // namespace

QueryGallery query_gallery(const std::vector<Item>& items) {
  QueryGallery rows;
  bool all = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].query) rows.query.push_back(static_cast<std::int64_t>(i));
    if (items[i].gallery) rows.gallery.push_back(static_cast<std::int64_t>(i));
    all = all && items[i].query && items[i].gallery;
  }
  return all ? QueryGallery{} : rows;
}

Measurement measure(Device& device, const Tensor& embeddings, std::span<const std::int64_t> labels,
                    const QueryGallery& given, const MeasureOptions& options) {
  DML_CHECK(embeddings.rank() == 2 && embeddings.dim(0) == static_cast<std::int64_t>(labels.size()),
            fmt::format("measure: embeddings {} for {} labels", to_string(embeddings.shape()),
                        labels.size()));
  const bool everything = given.query.empty() && given.gallery.empty();
  const Rows all = all_rows(embeddings.dim(0));
  const QueryGallery rows = everything ? QueryGallery{all, all} : given;
  const Rows self = places(rows);
  const Rows query_class = take(labels, rows.query), gallery_class = take(labels, rows.gallery);
  const Rows positives = count_positives(query_class, gallery_class, self);
  const std::vector<NamedMetric> metrics = metrics_of(options.metrics);
  const GroundTruth truth{query_class, gallery_class, positives};

  std::int64_t k = 0;
  bool clusters = false;
  for (const NamedMetric& one : metrics) {
    k = std::max(k, one.metric->neighbours_needed(truth));
    clusters = clusters || one.metric->clusters_needed();
  }
  const Tensor queries = everything ? embeddings : take_rows(embeddings, rows.query);
  const Tensor gallery = everything ? embeddings : take_rows(embeddings, rows.gallery);
  Measurement result;
  if (k > 0)
    result.neighbours =
        search(device, queries, gallery, self, {.distance = options.distance, .k = k});
  result.neighbours.queries = queries.dim(0);
  result.neighbours.query_class = query_class;
  result.neighbours.gallery_class = gallery_class;
  result.neighbours.positives = positives;

  MeasureOptions used = options;
  used.clustering.clusters = static_cast<std::int64_t>(
      std::set<std::int64_t>(gallery_class.begin(), gallery_class.end()).size());
  Rows cluster;
  if (clusters) {
    const Tensor rows_to_cluster =
        options.distance == Distance::cosine ? unit_rows(gallery) : gallery;
    cluster = kmeans(device, rows_to_cluster.to(DType::f32), used.clustering).cluster;
  }
  for (const NamedMetric& one : metrics)
    result.figures.emplace_back(one.name, (*one.metric)({result.neighbours, cluster}));
  const bool leave_out =
      std::any_of(self.begin(), self.end(), [](auto s) { return s != Neighbours::none; });
  describe_protocol(result, used, positives, leave_out, clusters);
  return result;
}

}  // namespace dml
