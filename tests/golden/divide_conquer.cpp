#include <algorithm>

#include "dml/divide/clusters.hpp"
#include "dml/divide/criteria.hpp"
#include "dml/divide/marp.hpp"
#include "dml/divide/masks.hpp"
#include "dml/divide/miners.hpp"
#include "dml/metrics/partition.hpp"
#include "dml/retrieval/kmeans.hpp"
#include "dml/retrieval/search.hpp"
#include "ops/arithmetic.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/repeat.hpp"
#include "ops/sum.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

using namespace division;

constexpr const char* group = "divide_conquer";

std::vector<std::int64_t> list(const Tensor& tensor) {
  const auto values = tensor.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensor as_tensor(const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

/// Classes of a case; as many as its beta has, or as occur.
Labels labels_of(Run& run, const std::string& name = "labels") {
  const std::vector<std::int64_t> of = list(run.tensor("in." + name));
  std::int64_t classes = 1;
  for (const std::int64_t label : of) classes = std::max(classes, label + 1);
  if (run.given().has("param.beta"))
    classes = std::max(classes, run.given().at("param.beta").dim(0));
  return {of, classes};
}

/// The filled places of triplets, on the host.
void give_triplets(Run& run, const Triplets& triplets) {
  const Tensor filled = triplets.filled.to_host().to(DType::f64);
  const auto give = [&](const std::string& name, const Tensor& index) {
    std::vector<std::int64_t> kept;
    const Tensor host = index.to_host();
    for (std::int64_t i = 0; i < host.size(); ++i)
      if (filled.raw<double>()[i] != 0) kept.push_back(host.raw<std::int64_t>()[i]);
    run.give("out." + name, as_tensor(kept));
  };
  give("anchor_idx", triplets.anchors);
  give("positive_idx", triplets.positives);
  give("negative_idx", triplets.negatives);
}

/// The triplets of a file, none of them empty.
Triplets triplets_of(Run& run) {
  const auto at = [&](const std::string& name) {
    return run.device().upload(run.tensor("in." + name));
  };
  Tensor filled = Tensor::empty({run.tensor("in.anchor_idx").size()}, DType::f64);
  for (double& one : filled.data<double>()) one = 1;
  return {at("anchor_idx"), at("positive_idx"), at("negative_idx"),
          run.device().upload(filled.to(run.type()))};
}

const AddGolden margin{
    group, "margin_loss", [](Run& run) {
      const Var x = run.variable("embeddings"), beta = run.variable("beta");
      const MarginTerms terms =
          margin_loss(x, triplets_of(run), labels_of(run), beta,
                      {.margin = run.given().number("margin"), .nu = run.given().number("nu")});
      run.give("out.d_ap", terms.d_ap.value());
      run.give("out.d_an", terms.d_an.value());
      run.give("out.active_terms",
               as_tensor({static_cast<std::int64_t>(terms.active.value().item())}));
      run.loss(terms.loss);
    }};

const AddGolden weights{
    group, "distance_weighted_weights", [](Run& run) {
      const Case& given = run.given();
      const WeightOptions options{.cutoff = given.number("cutoff"),
                                  .furthest = given.number("nonzero_loss_cutoff_dist"),
                                  .eps = given.number("eps"),
                                  .additive = given.number("additive")};
      const Var x = run.constant("embeddings");
      const Labels labels = labels_of(run);
      const Var distances = mining_distances(x, options.cutoff);
      const Var weight(negative_weights(distances, labels, x.dim(1), options),
                       distances.shared_tape());
      run.give("out.distances", distances.value());
      run.give("out.weights", weight.value());
      run.give("out.probabilities",
               (weight / broadcast_to(sum(weight, 1, true), weight.shape())).value());
      run.give("out.num_neg", as_tensor({negatives_per_anchor(labels)}));
      const Loose loose{.relative = 1e-3,
                        .reason = "d^(2 - D) turns a rounding of d into D times as much"};
      run.loosen("out.weights", loose);
      run.loosen("out.probabilities", loose);
    }};

const AddGolden drawn{group, "distance_weighted_triplets", [](Run& run) {
                        const Labels labels = labels_of(run);
                        const Var like = run.tape().input(Tensor({1}, run.type()));
                        Tensor drawn_set = run.tensor("in.drawn_negatives");  // a set per row
                        const std::int64_t q = drawn_set.dim(1);
                        std::int64_t* row = drawn_set.raw<std::int64_t>();
                        for (std::int64_t i = 0; i < drawn_set.dim(0); ++i, row += q)
                          std::sort(row, row + q);
                        const Tensor negatives = run.device().upload(drawn_set);
                        give_triplets(run, pair_drawn(labels, negatives, {0, Purpose::mine}, like));
                      }};

const AddGolden easypeasy{
    group, "easypeasy_triplets", [](Run& run) {
      const Var x = run.constant("embeddings");
      run.give("out.pdist", mining_distances(x, 0).value());
      give_triplets(run, mine_easypeasy(x, labels_of(run), run.given().number("cutoff")));
    }};

const AddGolden split{group, "fixed_mask_split", [](Run& run) {
                        run.give("out.masks", fixed_masks(run.given().integer("nb_clusters"),
                                                          run.given().integer("sz_embedding"))
                                                  .to(DType::i64));
                      }};

Var masked(Run& run, const Var& y, const Var& masks) {
  const Case& given = run.given();
  const bool rectified = given.flag("mask_relu");
  if (given.text("learner") != "none")
    return masked_embedding(y, masks, given.integer("learner"), rectified);
  if (given.flag("masks_sum_for_full_emb"))
    return summed_embedding(y, masks, rectified, given.text("masks_normalize_before_sum") == "l1");
  return l2_normalize(y);
}

const AddGolden mask_forward{group, "mask_forward", [](Run& run) {
                               const Var y = linear(run.variable("features"),
                                                    run.variable("weight"), run.variable("bias"));
                               const Var embeddings = masked(run, y, run.variable("masks"));
                               run.give("out.embeddings", embeddings.value());
                               run.loss(sum(embeddings * run.variable("upstream")));
                             }};

const AddGolden regulariser{
    group, "mask_regulariser", [](Run& run) {
      run.loss(run.given().number("masking_lambda") * mask_similarity(run.variable("masks")));
    }};

const AddGolden step{
    group, "dc_train_step", [](Run& run) {
      const Case& given = run.given();
      const Var y = linear(run.variable("features"), run.variable("weight"), run.variable("bias"));
      const Var masks = run.variable("masks"), beta = run.variable("beta");
      const bool full = given.flag("force_full_embedding");
      const Var x =
          full ? l2_normalize(y)
               : masked_embedding(y, masks, given.integer("learner"), given.flag("mask_relu"));
      const Labels labels = labels_of(run);
      const Triplets triplets = mine_easypeasy(x, labels);
      give_triplets(run, triplets);
      const Var metric =
          margin_loss(l2_normalize(x), triplets, labels, beta, {.margin = given.number("margin")})
              .loss;
      const Var mask = given.number("masking_lambda") * mask_similarity(masks);
      run.give("out.loss_metric", metric.value());
      run.give("out.loss_mask", mask.value());
      run.loss(full ? metric : metric + mask);
    }};

const AddGolden reassign{group, "reassign_clusters", [](Run& run) {
                           const std::vector<std::int64_t> before = list(run.tensor("in.prev")),
                                                           now = list(run.tensor("in.curr"));
                           const std::int64_t count = std::max(count_of(before), count_of(now));
                           const Matching matching = match(before, now, count);
                           std::vector<std::int64_t> costs;
                           for (const auto& row : matching.costs)
                             costs.insert(costs.end(), row.begin(), row.end());
                           run.give("out.costs", as_tensor(costs).reshape({count, count}));
                           run.give("out.assignment", as_tensor(matching.previous));
                           for (const bool published : {false, true}) {
                             const Clusters names = renamed(now, matching, published);
                             std::int64_t agreement = 0;
                             for (std::size_t i = 0; i < names.size(); ++i)
                               agreement += names[i] == before[i];
                             const std::string tail = published ? "_reference" : "";
                             run.give("out.relabelled" + tail, as_tensor(names));
                             run.give("out.agreement" + tail, as_tensor({agreement}));
                           }
                         }};

const AddGolden recluster{
    group, "recluster_bookkeeping", [](Run& run) {
      const std::int64_t count = run.given().integer("nb_clusters_before");
      const std::vector<std::int64_t> now = list(run.tensor("in.kmeans"));
      Clusters clusters = renamed(now, match(list(run.tensor("in.prev")), now, count), false);
      const bool split_up = run.given().has("in.split_bit");
      if (split_up) clusters = halved(clusters, list(run.tensor("in.split_bit")));
      run.give("out.clusters", as_tensor(without_lonely(clusters, list(run.tensor("in.labels")))));
      run.give("out.nb_clusters", as_tensor({split_up ? 2 * count : count}));
    }};

const AddGolden marp{
    group, "marp", [](Run& run) {
      const Tensor retrieved = run.tensor("in.retrieved_labels");
      run.give("out.marp",
               std::vector<double>{mean_average_r_precision(list(run.tensor("in.query_labels")),
                                                            list(run.tensor("in.gallery_labels")),
                                                            list(retrieved), retrieved.dim(1))});
      run.ignore("out.map_at_r_standard", "another definition, given beside this one to compare");
    }};

const AddGolden nmi{
    group, "nmi", [](Run& run) {
      run.give("out.nmi", std::vector<double>{normalised_mutual_information(
                              list(run.tensor("in.clusters")), list(run.tensor("in.labels")))});
    }};

/// The share of queries that have a neighbour of their class among the first k.
std::vector<double> recalls(const Neighbours& near, const std::vector<std::int64_t>& queries,
                            const std::vector<std::int64_t>& gallery,
                            const std::vector<std::int64_t>& ks) {
  std::vector<double> result;
  for (const std::int64_t k : ks) {
    double hits = 0;
    for (std::int64_t q = 0; q < near.queries; ++q) {
      bool hit = false;
      for (std::int64_t r = 0; r < std::min(k, near.k); ++r)
        hit = hit || (near.at(q, r) != Neighbours::none &&
                      gallery[static_cast<std::size_t>(near.at(q, r))] ==
                          queries[static_cast<std::size_t>(q)]);
      hits += hit ? 1 : 0;
    }
    result.push_back(hits / static_cast<double>(near.queries));
  }
  return result;
}

const AddGolden recall_self{
    group, "recall_at_k", [](Run& run) {
      const std::vector<std::int64_t> labels = list(run.tensor("in.labels"));
      const std::int64_t width = run.given().at("out.neighbour_labels").dim(1);
      std::vector<std::int64_t> own;
      for (std::size_t i = 0; i < labels.size(); ++i) own.push_back(static_cast<std::int64_t>(i));
      const Tensor x = run.tensor("in.embeddings");
      const Neighbours near =
          search(run.device(), x, x, own, {.distance = SearchDistance::euclidean, .k = width});
      std::vector<std::int64_t> classes;
      for (std::int64_t q = 0; q < near.queries; ++q)
        for (std::int64_t r = 0; r < width; ++r)
          classes.push_back(labels[static_cast<std::size_t>(near.at(q, r))]);
      run.give("out.neighbour_labels", as_tensor(classes).reshape({near.queries, width}));
      run.give("out.recall", recalls(near, labels, labels, list(run.tensor("in.ks"))));
    }};

const AddGolden recall_gallery{
    group, "recall_query_gallery", [](Run& run) {
      const std::vector<std::int64_t> ks = list(run.tensor("in.ks"));
      const Tensor gallery = run.tensor("in.gallery");
      const std::int64_t k = std::min(*std::max_element(ks.begin(), ks.end()), gallery.dim(0));
      const Neighbours near = search(run.device(), run.tensor("in.query"), gallery, {},
                                     {.distance = SearchDistance::euclidean, .k = k});
      run.give("out.recall", recalls(near, list(run.tensor("in.query_labels")),
                                     list(run.tensor("in.gallery_labels")), ks));
    }};

/// Clusters may be named otherwise: given back under the names of the file where the partitions are
/// the same.
const AddGolden clustering{
    group, "kmeans", [](Run& run) {
      const Case& given = run.given();
      const Clustering found = kmeans(run.device(), run.tensor("in.embeddings").to(DType::f32),
                                      {.clusters = given.integer("num_clusters"),
                                       .iterations = given.integer("niter"),
                                       .restarts = given.integer("nredo"),
                                       .seed = given.integer("seed")});
      const std::vector<std::int64_t> wanted = list(given.at("out.clusters"));
      const std::int64_t count = given.integer("num_clusters");
      run.give("out.clusters",
               as_tensor(renamed(found.cluster, match(wanted, found.cluster, count), false)));
      run.give("out.nmi", std::vector<double>{normalised_mutual_information(
                              found.cluster, list(run.tensor("in.true_partition")))});
    }};

const AddGolden all{group, "triplet_all", [](Run& run) {
                      run.loss(triplet_all_loss(run.variable("embeddings"), labels_of(run),
                                                run.given().number("margin")));
                    }};

const auto semihard = [](Run& run) {
  run.loss(triplet_semihard_loss(run.variable("embeddings"), labels_of(run),
                                 run.given().number("margin"), run.given().flag("soft")));
};
const AddGolden semihard_hinge{group, "triplet_semihard", semihard};
const AddGolden semihard_soft{group, "triplet_semihard_soft", semihard};

const AddGolden npairs{group, "npairs_soft", [](Run& run) {
                         const Var x = run.variable("embeddings");
                         run.loss(npairs_loss(x, labels_of(run), run.variable("alpha")));
                       }};

}  // namespace
}  // namespace dml::golden
