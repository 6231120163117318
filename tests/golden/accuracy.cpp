#include <algorithm>
#include <cmath>
#include <map>

#include "dml/metrics/partition.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

const AddGolden clustering{"accuracy", "clustering", [](Run& run) {
                             const auto labels = list(run.tensor("in.labels"));
                             const auto clusters = list(run.tensor("in.clusters"));
                             run.give("out.nmi", {normalised_mutual_information(labels, clusters)});
                             run.give("out.ami", {adjusted_mutual_information(labels, clusters)});
                           }};

RetrievalSet set_of(Run& run) {
  const Tensor queries = run.tensor("in.query");
  const auto labels = list(run.tensor("in.query_labels"));
  if (!run.given().has("in.reference")) return {.embeddings = queries, .labels = labels};
  return query_gallery_set(queries, labels, run.tensor("in.reference"),
                           list(run.tensor("in.reference_labels")),
                           run.given().flag("self_excluded"));
}

std::int64_t depth(Run& run, const RetrievalSet& set) {
  const std::string k = run.given().text("k");
  if (k == "all" || k == "None") return 0;
  if (k != "max_bin_count") return run.given().integer("k");
  const bool inside = run.given().flag("self_excluded");
  const std::vector<std::int64_t> labels =
      !run.given().has("in.reference") ? set.labels : list(run.tensor("in.reference_labels"));
  std::map<std::int64_t, std::int64_t> sizes;
  std::int64_t most = 0;
  for (const std::int64_t label : labels) most = std::max(most, ++sizes[label]);
  return most - (inside ? 1 : 0);
}

/// The file's own order where two neighbours are nearer to each other than the reference could
/// tell: the metadata says that their order may differ.
Tensor order_as_stated(const Neighbours& found, const Tensor& stated, const Evaluation& full) {
  const std::int64_t columns = stated.dim(1);
  Tensor order = Tensor::empty(stated.shape(), DType::i64);
  for (std::int64_t q = 0; q < stated.dim(0); ++q) {
    std::map<std::int64_t, double> distance;
    for (std::int64_t r = 0; r < full.neighbours.k; ++r)
      distance[full.neighbours.at(q, r)] = static_cast<double>(
          full.neighbours.distance[static_cast<std::size_t>(q * full.neighbours.k + r)]);
    for (std::int64_t r = 0; r < columns; ++r) {
      const std::int64_t own = found.at(q, r);
      const std::int64_t theirs = stated.raw<std::int64_t>()[q * columns + r];
      const bool tie = distance.contains(theirs) &&
                       std::abs(distance[own] - distance[theirs]) <= 2e-6 * distance[own];
      order.raw<std::int64_t>()[q * columns + r] = tie ? theirs : own;
    }
  }
  return order;
}

const AddGolden accuracy{
    "accuracy", "knn_accuracy", [](Run& run) {
      const RetrievalSet set = set_of(run);
      const std::int64_t k = depth(run, set);
      const std::string at = ":k=" + std::to_string(k);
      const std::vector<std::pair<std::string, std::string>> wanted{
          {"precision_at_1", "precision_at_1"},
          {"r_precision", "r_precision" + at},
          {"mean_average_precision_at_r", "map_at_r" + at},
          {"mean_average_precision", "map" + at},
          {"mean_reciprocal_rank", "mrr" + at}};
      std::string metrics;
      for (const auto& [name, text] : wanted) metrics += text + ",";
      const std::string average = run.given().text("average");
      EvaluateOptions options{.distance = SearchDistance::euclidean,
                              .neighbours = std::ssize(set.labels)};
      if (average == "mean of class means") options.average = Average::classes;
      const Evaluation found = evaluate(run.device(), set, make_metrics(metrics), options);
      std::vector<std::int64_t> classes;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto& [heading, value] = found.values[i];
        std::vector<double> values{value};
        if (average == "per class list") {
          values.clear();
          classes.clear();
          for (const auto& [label, mean] : found.by_class(heading)) {
            classes.push_back(label);
            values.push_back(mean);
          }
        }
        if (run.given().has("out." + wanted[i].first)) run.give("out." + wanted[i].first, values);
      }
      if (run.given().has("out.classes"))
        run.give("out.classes", Tensor::of<std::int64_t>({std::ssize(classes)}, classes));
      if (run.given().has("out.neighbours"))
        run.give("out.neighbours",
                 order_as_stated(found.neighbours, run.tensor("out.neighbours"), found));
    }};

}  // namespace
}  // namespace dml::golden
