#include <algorithm>
#include <cmath>
#include <map>

#include "dml/metrics/class_distances.hpp"
#include "dml/metrics/partition.hpp"
#include "dml/metrics/spectrum.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "dml/retrieval/spectrum.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

RetrievalSet set_of(Run& run) {
  return {.embeddings = run.tensor("in.embeddings"), .labels = list(run.tensor("in.labels"))};
}

/// The values of metrics by the published code's protocol: Euclidean distance unless a metric says
/// otherwise, and the first neighbour dropped.
Evaluation measured(Run& run, const std::string& metrics, Exclude exclude = Exclude::first,
                    SearchDistance distance = SearchDistance::euclidean) {
  return evaluate(run.device(), set_of(run), make_metrics(metrics),
                  {.distance = distance, .exclude = exclude});
}

std::vector<double> values_of(const Evaluation& evaluation) {
  std::vector<double> values;
  for (const auto& [name, value] : evaluation.values) values.push_back(value);
  return values;
}

/// "recall@1,recall@2" for the list in.k.
std::string recalls(Run& run) {
  std::string metrics;
  for (const std::int64_t k : list(run.tensor("in.k")))
    metrics += "recall@" + std::to_string(k) + ",";
  return metrics;
}

const AddGolden recall{
    "metrics", "recall_at_k", [](Run& run) {
      const std::string metrics = recalls(run);
      run.give("out.recall", values_of(measured(run, metrics)));
      run.give("out.recall_exclude_self", values_of(measured(run, metrics, Exclude::query)));
      run.give("out.recall_cosine",
               values_of(measured(run, metrics, Exclude::first, SearchDistance::cosine)));
      run.ignore("out.recall_faiss_float32", "Faiss orders ties its own way");
    }};

const AddGolden average_precision{
    "metrics", "map", [](Run& run) {
      for (const std::string& full : run.given().names("out.")) {
        const std::string name = full.substr(4);
        if (name.ends_with("_reference")) {
          run.ignore(full, "what the published code makes of neighbours that do not exist");
        } else if (name == "recall") {
          run.give(full, values_of(measured(run, recalls(run))));
        } else if (name == "map_at_r" || name == "r_precision") {
          run.give(full, values_of(measured(run, name, Exclude::query)));
        } else {
          run.give(full, values_of(measured(run, name == "mAP" ? "map_all" : name)));
        }
      }
    }};

const AddGolden clusters{
    "metrics", "nmi_f1", [](Run& run) {
      const auto labels = list(run.tensor("in.labels"));
      const auto found = list(run.tensor("in.cluster_labels"));
      const Overlap overlap(labels, found);
      run.give("out.nmi", {normalised_mutual_information(labels, found)});
      run.give("out.f1", {pair_f1(labels, found)});
      run.give("out.pair_counts", {overlap.pairs_both(), overlap.pairs_a(), overlap.pairs_b()});
    }};

const AddGolden dists{"metrics", "dists", [](Run& run) {
                        const ClassDistances found = class_distances(run.tensor("in.embeddings"),
                                                                     list(run.tensor("in.labels")));
                        run.give("out.per_class_intra", found.per_class);
                        run.give("out.intra", {found.intra});
                        run.give("out.inter", {found.inter});
                        run.give("out.intra_over_inter", {found.ratio()});
                        for (const std::string& name : run.given().names("out.reference_"))
                          run.ignore(name, "takes the wrong classes where some have one sample");
                      }};

/// "out.mode_-2" -> -2
std::int64_t mode_in(const std::string& name) {
  return std::stoll(name.substr(name.rfind('_') + 1));
}

const AddGolden rho{"metrics", "rho_spectrum", [](Run& run) {
                      const std::vector<double> all =
                          singular_values(run.tensor("in.embeddings"), run.device().threads());
                      const std::vector<double> fewer(all.begin(), all.end() - 1);
                      run.give("out.singular_values", all);
                      for (const std::string& name : run.given().names("out.")) {
                        if (name == "out.singular_values") continue;
                        const std::vector<double>& values =
                            name.starts_with("out.truncated") ? fewer : all;
                        const std::int64_t mode = mode_in(name);
                        run.give(name, mode == 0 ? normalised_spectrum(values, 0)
                                                 : std::vector<double>{rho_spectrum(values, mode)});
                      }
                    }};

/// Numbers of clusters are names. Where two partitions are the same, ours gets the names of the
/// file's: [cluster of ours] -> cluster of the file.
std::map<std::int64_t, std::int64_t> names_of(const std::vector<std::int64_t>& ours,
                                              const std::vector<std::int64_t>& theirs) {
  std::map<std::int64_t, std::int64_t> name;
  for (std::size_t i = 0; i < ours.size(); ++i) name.emplace(ours[i], theirs[i]);
  return name;
}

/// What the published code adds to mAP at that depth where the gallery is smaller: neighbours that
/// do not exist count as the last sample. The end-to-end file states its value as it is; those of
/// op `map` have both.
double of_missing_neighbours(const std::vector<std::int64_t>& labels, std::int64_t depth) {
  const auto n = static_cast<double>(labels.size());
  const auto own = static_cast<double>(std::ranges::count(labels, labels.back()));
  double sum = 0;
  for (std::int64_t r = std::ssize(labels); r <= depth; ++r) {
    const double missing = static_cast<double>(r) - (n - 1);
    sum += (own - 1 + missing) / static_cast<double>(r) / n;
  }
  return sum;
}

const AddGolden end_to_end{
    "metrics", "kmeans_end_to_end", [](Run& run) {
      const Case& given = run.given();
      const KMeansOptions how{.clusters = given.integer("n_clusters"),
                              .iterations = given.integer("niter"),
                              .restarts = given.integer("nredo"),
                              .seed = given.integer("seed")};
      const RetrievalSet set = set_of(run);
      for (const std::string& full : given.names("out.")) {
        if (full == "out.cluster_labels" || full == "out.centroids") continue;
        if (full.starts_with("out.dists@") && run.type() == DType::f64) {
          run.ignore(full, "the file is a float32 run; op dists states these values in double");
          continue;
        }
        const Evaluation found = evaluate(
            run.device(), set, make_metrics(full.substr(4)),
            {.distance = SearchDistance::euclidean, .exclude = Exclude::first, .kmeans = how});
        std::vector<double> values = values_of(found);
        if (full == "out.mAP_lim")
          values[0] += of_missing_neighbours(set.labels,
                                             std::min<std::int64_t>(1023, std::ssize(set.labels)));
        if (full == "out.mAP_1000") values[0] += of_missing_neighbours(set.labels, 1000);
        run.give(full, values);
      }
      const Clustering found = kmeans(run.device(), set.embeddings, how);
      const auto stated = list(run.tensor("out.cluster_labels"));
      const auto name = names_of(found.cluster, stated);
      std::vector<std::int64_t> renamed;
      for (const std::int64_t cluster : found.cluster) renamed.push_back(name.at(cluster));
      run.give("out.cluster_labels", Tensor::of<std::int64_t>({std::ssize(renamed)}, renamed));
      Tensor centres(found.centres.shape(), DType::f32);
      for (const auto& [ours, theirs] : name)
        std::ranges::copy(found.centres.row<float>(ours), centres.row<float>(theirs).begin());
      run.give("out.centroids", centres);
    }};

}  // namespace
}  // namespace dml::golden
