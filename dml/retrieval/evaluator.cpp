#include "dml/retrieval/evaluator.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_map>

#include "dml/retrieval/spectrum.hpp"
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

/// The neighbours alone, without classes.
void copy_ranks(const Neighbours& from, Neighbours& to) {
  to.queries = from.queries;
  to.k = from.k;
  to.index = from.index;
  to.distance = from.distance;
}

/// The same without the first neighbour of every query that stands in the gallery, and without the
/// last of the others.
void drop_first(const Neighbours& from, std::span<const std::int64_t> self, Neighbours& to) {
  to.queries = from.queries;
  to.k = from.k - 1;
  to.index.clear();
  to.distance.clear();
  for (std::int64_t q = 0; q < from.queries; ++q) {
    const bool inside = self[static_cast<std::size_t>(q)] != Neighbours::none;
    const std::int64_t start = q * from.k + (inside ? 1 : 0);
    to.index.insert(to.index.end(), from.index.begin() + start, from.index.begin() + start + to.k);
    to.distance.insert(to.distance.end(), from.distance.begin() + start,
                       from.distance.begin() + start + to.k);
  }
}

/// The part of a list of queries that a block is about.
std::vector<std::int64_t> slice_of(const std::vector<std::int64_t>& all, std::int64_t first,
                                   std::int64_t count) {
  return {all.begin() + first, all.begin() + first + count};
}

/// One evaluation under way.
class Evaluator {
 public:
  Evaluator(Device& device, const RetrievalSet& set, const EvaluateOptions& options)
      : device_(device),
        options_(options),
        embeddings_(set.embeddings.to_host().dense()),
        query_rows_(rows_or_all(set.queries, embeddings_.dim(0))),
        gallery_rows_(rows_or_all(set.gallery, embeddings_.dim(0))),
        queries_(take_rows(embeddings_, query_rows_)),
        gallery_(take_rows(embeddings_, gallery_rows_)),
        query_class_(take(set.labels, query_rows_)),
        gallery_class_(take(set.labels, gallery_rows_)),
        self_(places(query_rows_, gallery_rows_)),
        positives_(count_positives(query_class_, gallery_class_, self_)),
        class_size_(count_positives(query_class_, gallery_class_, {})),
        classes_(gallery_class_.begin(), gallery_class_.end()) {
    require_finite(embeddings_, "embeddings");
  }

  Evaluation run(const std::vector<std::unique_ptr<Metric>>& metrics) {
    for (const SearchDistance distance : {SearchDistance::cosine, SearchDistance::euclidean})
      search_by(distance, metrics);
    result_.neighbours.query_class = query_class_;
    result_.neighbours.gallery_class = gallery_class_;
    result_.neighbours.positives = positives_;
    result_.neighbours.class_size = class_size_;
    describe();
    for (const auto& metric : metrics) {
      const std::string name = heading(*metric);
      result_.values.emplace_back(name, value_of(*metric, name));
      result_.protocol["metric " + name] = metric->protocol();
    }
    return std::move(result_);
  }

 private:
  class View;

  GroundTruth truth() const { return {query_class_, gallery_class_, positives_, class_size_}; }
  SearchDistance distance_of(const Metric& metric) const {
    return metric.distance.value_or(options_.distance);
  }
  static std::string heading(const Metric& metric) {
    if (!metric.distance) return metric.name();
    return (*metric.distance == SearchDistance::cosine ? "c_" : "e_") + metric.name();
  }

  /// Searches for the metrics that want this distance, and for the neighbours that are kept.
  void search_by(SearchDistance distance, const std::vector<std::unique_ptr<Metric>>& metrics) {
    std::int64_t k = distance == options_.distance ? options_.neighbours : 0;
    std::vector<std::pair<const RankingMetric*, std::vector<double>*>> wanted;
    for (const auto& metric : metrics) {
      const RankingMetric* ranking = metric->ranking();
      if (ranking == nullptr || distance_of(*metric) != distance) continue;
      k = std::max({k, std::int64_t{1}, ranking->neighbours_needed(truth())});
      std::vector<double>& values = result_.of_queries[heading(*metric)];
      values.resize(query_rows_.size());
      wanted.emplace_back(ranking, &values);
    }
    if (k == 0) return;
    blocks(distance, k, [&](std::int64_t first, const Neighbours& block) {
      for (const auto& [metric, values] : wanted)
        metric->score(block, std::span(*values).subspan(static_cast<std::size_t>(first),
                                                        static_cast<std::size_t>(block.queries)));
      if (distance == options_.distance) keep(block);
    });
  }

  /// Hands over blocks of neighbours as the metrics see them: without the queries, with classes.
  void blocks(SearchDistance distance, std::int64_t k, const TakeBlock& take_block) {
    const bool drop = options_.exclude == Exclude::first;
    const std::span<const std::int64_t> left_out =
        drop ? std::span<const std::int64_t>() : std::span<const std::int64_t>(self_);
    Neighbours block;  // one for all blocks, because it holds the classes of the whole gallery
    block.gallery_class = gallery_class_;
    const auto finish = [&](std::int64_t first, const Neighbours& found) {
      if (drop)
        drop_first(found, slice_of(self_, first, found.queries), block);
      else
        copy_ranks(found, block);
      block.query_class = slice_of(query_class_, first, block.queries);
      block.positives = slice_of(positives_, first, block.queries);
      block.class_size = slice_of(class_size_, first, block.queries);
      take_block(first, block);
    };
    const SearchOptions how{.distance = distance, .k = drop ? k + 1 : k};
    if (!options_.rerank) return search_blocks(device_, queries_, gallery_, left_out, how, finish);
    std::vector<std::int64_t> rows = query_rows_;
    rows.insert(rows.end(), gallery_rows_.begin(), gallery_rows_.end());
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    rerank_blocks(device_, take_rows(embeddings_, rows), places(query_rows_, rows),
                  places(gallery_rows_, rows), left_out, *options_.rerank, how, finish);
  }

  void keep(const Neighbours& block) {
    Neighbours& kept = result_.neighbours;
    kept.queries += block.queries;
    kept.k = std::min(block.k, std::max<std::int64_t>(1, options_.neighbours));
    for (std::int64_t q = 0; q < block.queries; ++q) {
      const std::int64_t from = q * block.k;
      kept.index.insert(kept.index.end(), block.index.begin() + from,
                        block.index.begin() + from + kept.k);
      kept.distance.insert(kept.distance.end(), block.distance.begin() + from,
                           block.distance.begin() + from + kept.k);
    }
  }

  double value_of(const Metric& metric, const std::string& name);
  void describe();
  std::vector<std::int64_t> cluster(SearchDistance distance);

  Device& device_;
  const EvaluateOptions& options_;
  const Tensor embeddings_;
  const std::vector<std::int64_t> query_rows_, gallery_rows_;
  const Tensor queries_, gallery_;
  const std::vector<std::int64_t> query_class_, gallery_class_, self_, positives_, class_size_;
  const std::set<std::int64_t> classes_;
  Evaluation result_;
  std::map<SearchDistance, std::vector<std::int64_t>> clusters_;
  std::map<bool, std::vector<double>> singular_;  // of unit rows, or of rows as they are
  Tensor units_;
};

/// The gallery for one metric; what it computes is kept in the evaluator for the next.
class Evaluator::View final : public GalleryView {
 public:
  View(Evaluator& all, SearchDistance distance, bool as_units)
      : all_(all), distance_(distance), as_units_(as_units) {}
  Device& device() override { return all_.device_; }
  const Tensor& embeddings() override { return as_units_ ? unit_embeddings() : all_.gallery_; }
  const Tensor& unit_embeddings() override {
    if (!all_.units_.defined()) all_.units_ = unit_rows(all_.gallery_);
    return all_.units_;
  }
  std::span<const std::int64_t> classes() override { return all_.gallery_class_; }
  std::span<const std::int64_t> clusters() override {
    std::vector<std::int64_t>& found = all_.clusters_[distance_];
    if (found.empty()) found = all_.cluster(distance_);
    return found;
  }
  std::span<const double> singular_values() override {
    std::vector<double>& found = all_.singular_[as_units_];
    if (found.empty()) found = dml::singular_values(embeddings(), all_.device_.threads());
    return found;
  }

 private:
  Evaluator& all_;
  SearchDistance distance_;
  bool as_units_;
};

double Evaluator::value_of(const Metric& metric, const std::string& name) {
  if (const GalleryMetric* gallery = metric.gallery()) {
    View view(*this, distance_of(metric), metric.distance == SearchDistance::cosine);
    return (*gallery)(view);
  }
  if (options_.average == Average::queries) return mean_of(result_.of_queries.at(name));
  std::vector<double> means;
  for (const auto& [label, mean] : result_.by_class(name)) means.push_back(mean);
  return mean_of(means);
}

std::vector<std::int64_t> Evaluator::cluster(SearchDistance distance) {
  KMeansOptions how = options_.kmeans;
  if (how.clusters == 0) how.clusters = std::ssize(classes_);
  result_.protocol["kmeans_clusters"] = std::to_string(how.clusters);
  result_.protocol["kmeans_restarts"] = std::to_string(how.restarts);
  result_.protocol["kmeans_iterations"] = std::to_string(how.iterations);
  result_.protocol["kmeans_seed"] = std::to_string(how.seed);
  View view(*this, distance, distance == SearchDistance::cosine);
  return kmeans(device_, view.embeddings(), how).cluster;
}

void Evaluator::describe() {
  const bool cosine = options_.distance == SearchDistance::cosine;
  const auto alone = std::count(positives_.begin(), positives_.end(), 0);
  const bool inside = std::any_of(self_.begin(), self_.end(),
                                  [](std::int64_t place) { return place != Neighbours::none; });
  result_.protocol.insert({
      {"distance", name_of(options_.distance)},
      {"normalisation", cosine ? "rows divided by their length" : "none"},
      {"self", !inside ? "no query is in the gallery"
               : options_.exclude == Exclude::query
                   ? "a query is left out of its own gallery, by index"
                   : "the first neighbour is dropped, whatever it is"},
      {"ties", "the lower gallery index first"},
      {"queries", std::to_string(query_rows_.size())},
      {"gallery", std::to_string(gallery_rows_.size())},
      {"classes", std::to_string(classes_.size())},
      {"average", options_.average == Average::queries ? "over queries" : "over means of classes"},
      {"queries_without_positive", std::to_string(alone)},
  });
  if (options_.rerank)
    result_.protocol["rerank"] =
        fmt::format("k-reciprocal, k1 = {}, k2 = {}, lambda = {}", options_.rerank->k1,
                    options_.rerank->k2, options_.rerank->lambda);
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

Exclude exclude_of(const std::string& name) {
  if (name == "query") return Exclude::query;
  if (name == "first") return Exclude::first;
  throw UsageError(
      fmt::format("what of a query in its own gallery is left out is 'query' (by its "
                  "index) or 'first' (the first neighbour), not '{}'",
                  name));
}

Average average_of(const std::string& name) {
  if (name == "queries") return Average::queries;
  if (name == "classes") return Average::classes;
  throw UsageError(fmt::format("means are taken over 'queries' or 'classes', not '{}'", name));
}

std::map<std::int64_t, double> Evaluation::by_class(const std::string& name) const {
  const auto found = of_queries.find(name);
  if (found == of_queries.end())
    throw UsageError(fmt::format("metric '{}' has no values of single queries", name));
  std::map<std::int64_t, std::vector<double>> values_of;
  for (std::size_t q = 0; q < found->second.size(); ++q)
    if (!std::isnan(found->second[q]))
      values_of[neighbours.query_class[q]].push_back(found->second[q]);
  std::map<std::int64_t, double> means;
  for (const auto& [label, list] : values_of) means[label] = mean_of(list);
  return means;
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
  DML_CHECK(std::ssize(set.labels) == n,
            fmt::format("evaluate: {} labels for {} embeddings", set.labels.size(), n));
  if (n == 0) throw DataError("evaluate: there is no image to search for");
  return Evaluator(device, set, options).run(metrics);
}

RetrievalSet query_gallery_set(const Tensor& queries, std::vector<std::int64_t> query_labels,
                               const Tensor& gallery, std::vector<std::int64_t> gallery_labels,
                               bool queries_first) {
  DML_CHECK(queries.rank() == 2 && gallery.rank() == 2 && queries.dim(1) == gallery.dim(1),
            fmt::format("queries {} and gallery {} must be [q, d] and [n, d]",
                        to_string(queries.shape()), to_string(gallery.shape())));
  DML_CHECK(queries.dtype() == gallery.dtype(), "queries and gallery differ in type");
  const std::int64_t q = queries.dim(0), n = gallery.dim(0);
  DML_CHECK(!queries_first || q <= n,
            fmt::format("{} queries are not the first rows of a gallery of {}", q, n));
  std::vector<std::int64_t> query_rows(static_cast<std::size_t>(q));
  std::iota(query_rows.begin(), query_rows.end(), std::int64_t{0});
  if (queries_first)
    return {.embeddings = gallery, .labels = std::move(gallery_labels), .queries = query_rows};
  Tensor both = Tensor::empty({q + n, queries.dim(1)}, queries.dtype());
  const Tensor host_queries = queries.to_host().dense(), host_gallery = gallery.to_host().dense();
  std::copy_n(host_queries.raw_bytes(), host_queries.bytes(), both.raw_bytes());
  std::copy_n(host_gallery.raw_bytes(), host_gallery.bytes(),
              both.raw_bytes() + host_queries.bytes());
  query_labels.insert(query_labels.end(), gallery_labels.begin(), gallery_labels.end());
  std::vector<std::int64_t> gallery_rows(static_cast<std::size_t>(n));
  std::iota(gallery_rows.begin(), gallery_rows.end(), q);
  return {.embeddings = both,
          .labels = std::move(query_labels),
          .queries = query_rows,
          .gallery = gallery_rows};
}

}  // namespace dml
