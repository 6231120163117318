#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>

#include "dml/divide/criteria.hpp"
#include "dml/divide/division.hpp"
#include "dml/divide/masks.hpp"
#include "dml/loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/l2_normalize.hpp"

namespace dml::division {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t long_after = 1000;  // epochs between clusterings, once they have ended

/// What may be set of Divide & Conquer; names and defaults are those of the published command line
/// (the published runs have other values: see the presets).
struct DivideOptions {
  std::int64_t nb_clusters = 1, mod_epoch = 2, mod_epoch_freeze = 0;
  std::string hierarchy = "top_bot";
  std::int64_t force_full_embedding_epoch = 0;
  bool stop_recluster = false, penultimate_for_clusters = true, published_matching = false;
  std::int64_t clustering_random_state = -1;
  std::string clustering_method = "kmeans";
  bool fixed_mask = false, mask_relu = true, masks_freeze_one_cluster = false;
  bool masks_sum_for_full_emb = false;
  std::string masks_normalize_before_sum = "none", masking_init = "ones";
  double masking_lambda = 1, mask_lr_mult = 1, mask_wd_mult = 0;
  std::string criterion = "margin", miner = "easypeasy";
  double margin = 0.2, nu = 0, beta = 1.2, alpha = 1;
  bool class_beta = false, soft_loss = false, learn_alpha = false;
  std::string embedding_layer = "embedding";
  Nested inner{};
  static constexpr std::tuple fields{
      field("nb_clusters", &DivideOptions::nb_clusters, "clusters at last, each with a learner",
            {1, 4096}),
      field("mod_epoch", &DivideOptions::mod_epoch, "epochs from one clustering to the next",
            {1, 1e9}),
      field("mod_epoch_freeze", &DivideOptions::mod_epoch_freeze,
            "so many epochs behind a clustering the net rests but for its embedding layer; below "
            "mod_epoch",
            {0, 1e9}),
      field("hierarchy", &DivideOptions::hierarchy,
            "clusters double from one on with every clustering (top_bot), or are all there from "
            "the start",
            "top_bot|none"),
      field("force_full_embedding_epoch", &DivideOptions::force_full_embedding_epoch,
            "from this epoch on (counted from 0) masks are dropped: the merging phase; 0: never",
            {0, 1e9}),
      field("stop_recluster", &DivideOptions::stop_recluster,
            "no clustering any more once all clusters are there"),
      field("penultimate_for_clusters", &DivideOptions::penultimate_for_clusters,
            "clusters are of the pooled features; without: of the embedding"),
      field("published_matching", &DivideOptions::published_matching,
            "clusters are matched to learners by the inverse permutation, as the published code "
            "does by mistake"),
      field("clustering_random_state", &DivideOptions::clustering_random_state,
            "k-means begins anew every time with numbers of this seed; -1: always with the same",
            {-1, 1e9}),
      field("clustering_method", &DivideOptions::clustering_method,
            "k-means begins with drawn images, or (kmeans_adaptive_centroids) with the means of "
            "the clusters before",
            "kmeans|kmeans_adaptive_centroids"),
      field("fixed_mask", &DivideOptions::fixed_mask,
            "masks are blocks of ones that are halved and not learnt"),
      field("mask_relu", &DivideOptions::mask_relu, "masks are cut at 0 before they are used"),
      field("masks_freeze_one_cluster", &DivideOptions::masks_freeze_one_cluster,
            "the mask rests while there is one cluster"),
      field("masks_sum_for_full_emb", &DivideOptions::masks_sum_for_full_emb,
            "retrieval compares embeddings times the sum of all masks, not plain ones"),
      field("masks_normalize_before_sum", &DivideOptions::masks_normalize_before_sum,
            "what masks are divided by before that sum", "none|l1"),
      field("masking_init", &DivideOptions::masking_init,
            "how the first mask begins: ones, or normal 0.7 around 0.9", "ones|normal"),
      field("masking_lambda", &DivideOptions::masking_lambda, "weight of the likeness of the masks",
            {0, 1e6}),
      field("mask_lr_mult", &DivideOptions::mask_lr_mult, "learning rate of masks, times the net's",
            {0, 1e9}),
      field("mask_wd_mult", &DivideOptions::mask_wd_mult, "weight decay of masks, times the net's",
            {0, 1e9}),
      field("criterion", &DivideOptions::criterion, "the loss of a batch, unless `inner` is given",
            "margin|triplet|triplet_all|triplet_semihard|npairs"),
      field("miner", &DivideOptions::miner, "which triplets margin and triplet look at",
            "distanceweighted|easypeasy|HPHN|EPHN|EPSHN|RPSHN|RPHN"),
      field("margin", &DivideOptions::margin,
            "of the criterion; negatives further than beta + margin are rarely drawn", {0, 1e3}),
      field("nu", &DivideOptions::nu, "weight of the size of beta in margin", {0, 1e6}),
      field("beta", &DivideOptions::beta, "the distance between positives and negatives in margin",
            {0, 1e3}),
      field("class_beta", &DivideOptions::class_beta,
            "every class learns its own beta; its rate is that of the group `beta`"),
      field("alpha", &DivideOptions::alpha, "factor of the products in npairs", {0, 1e6}),
      field("learn_alpha", &DivideOptions::learn_alpha,
            "alpha is learnt; its rate is that of the group `alpha`"),
      field("soft_loss", &DivideOptions::soft_loss, "softplus in place of the hinge of triplets"),
      field("embedding_layer", &DivideOptions::embedding_layer,
            "the layer that goes on learning while the net rests (head.name)"),
      nested<Loss>("inner", &DivideOptions::inner,
                   "a loss of the masked embeddings in place of criterion; empty: criterion"),
  };
};

/// Divide & Conquer: the training images are clustered every few epochs; every cluster trains its
/// own part of the embedding, which a mask picks out; at last all are trained together.
class Divide final : public Loss {
 public:
  using Options = DivideOptions;

  Divide(Options options, const Setup& setup)
      : options_(std::move(options)), store_(setup.scope.store()), classes_(setup.classes) {
    check(setup);
    make_masks(setup);
    if (setup.images > 0)
      clusters_ = &store_.add_buffer((setup.scope / "clusters").path(), {setup.images}, DType::i64);
    learners_ = &setup.scope.counter("learners");
    Setup inner = setup;
    inner.scope = setup.scope / "inner";
    inner_ = make_nested<Loss>(options_.inner, inner);
    if (!inner_ && options_.criterion == "margin") {
      beta_ = &setup.scope.parameter("beta", {options_.class_beta ? setup.classes : 1},
                                     init::constant(options_.beta));
      beta_->trainable = options_.class_beta;
      beta_->group = "beta";
      beta_->decay_scale = 0;
    }
    if (!inner_ && options_.criterion == "npairs") {
      alpha_ = &setup.scope.parameter("alpha", {1}, init::constant(options_.alpha));
      alpha_->trainable = options_.learn_alpha;
      alpha_->group = "alpha";
      alpha_->decay_scale = 0;
    }
  }

  Requirements requirements() const override {
    const bool divides = options_.nb_clusters > 1;
    return {.images_per_class = 1, .classes = 2, .training_set = divides, .one_part = divides};
  }

  void before_epoch(EpochView& view) override {
    const std::int64_t epoch = view.epoch();
    std::int64_t learners = std::max<std::int64_t>(1, count());
    if (epoch == 0) learners = options_.hierarchy == "none" ? options_.nb_clusters : 1;
    std::int64_t every = options_.mod_epoch, freeze = options_.mod_epoch_freeze;
    const bool grown =
        options_.hierarchy == "none" ? epoch >= freeze : learners >= options_.nb_clusters;
    if (options_.stop_recluster && grown) {
      every = long_after;
      freeze = 0;
    }
    if (options_.nb_clusters > 1) {
      rest_net(freeze > 0 && epoch % every < freeze);
      if (epoch % every == 0) learners = cluster_images(view, learners);
    } else if (epoch == 0) {
      remember(Clusters(view.labels().size(), 0), view.device());
    }
    grow_masks(learners);
    set_count(learners);
    if (options_.masks_freeze_one_cluster && !options_.fixed_mask)
      masks().lr_scale = learners == 1 ? 0 : options_.mask_lr_mult;
    known_ = remembered();
    view.set_parts(known_);
  }

  Var operator()(const Batch& batch) override {
    const bool full = merged(batch.epoch);
    const Var all = batch.embedding.leaf(masks());
    const Var x =
        full ? l2_normalize(batch.embedding)
             : masked_embedding(batch.embedding, all, learner_of(batch), options_.mask_relu);
    const Var metric = metric_of(batch, x);
    note("loss_metric", metric);
    const Var likeness = options_.masking_lambda * mask_similarity(full ? all.detached() : all);
    note("loss_masks", likeness);
    return full || masks().value.dim(0) == 1 ? metric : metric + likeness;
  }

  Var embed(const Var& embedding) override {
    if (!options_.masks_sum_for_full_emb) return l2_normalize(embedding);
    return summed_embedding(embedding, embedding.leaf(masks()), options_.mask_relu,
                            options_.masks_normalize_before_sum == "l1");
  }

 private:
  void check(const Setup& setup) const {
    if (options_.mod_epoch_freeze >= options_.mod_epoch && options_.mod_epoch_freeze > 0)
      throw UsageError(fmt::format("mod_epoch_freeze = {} must be below mod_epoch = {}",
                                   options_.mod_epoch_freeze, options_.mod_epoch));
    if (options_.mod_epoch_freeze > 0 && options_.nb_clusters > 1 && !has_embedding_layer())
      throw UsageError(fmt::format(
          "mod_epoch_freeze = {} lets the net rest but for its embedding layer '{}', and there is "
          "none: nothing would learn\n  set loss.mod_epoch_freeze=0, or --embedding-dim for a "
          "layer",
          options_.mod_epoch_freeze, options_.embedding_layer));
    if (options_.fixed_mask && options_.masking_init != "ones")
      throw UsageError("fixed masks begin with ones: masking_init = ones");
    if (options_.fixed_mask && setup.dim < whole_levels(options_.nb_clusters))
      throw UsageError(fmt::format("an embedding of {} numbers cannot be cut into {} blocks",
                                   setup.dim, whole_levels(options_.nb_clusters)));
    if (options_.nb_clusters > 1 && setup.images > 0 && options_.nb_clusters > setup.images / 4)
      throw UsageError(fmt::format(
          "{} clusters of {} training images: every cluster needs two images of each of two "
          "classes\n  set nb_clusters to a smaller number",
          options_.nb_clusters, setup.images));
    if (options_.nb_clusters > setup.classes)
      throw UsageError(fmt::format(
          "{} clusters were asked for, the training set has {} classes\n  set nb_clusters to a "
          "smaller number: --set loss.nb_clusters={}",
          options_.nb_clusters, setup.classes, std::max<std::int64_t>(1, setup.classes / 4)));
    const std::int64_t doublings = levels() - 1;
    if (options_.hierarchy == "top_bot" && merge_epoch() <= doublings * options_.mod_epoch)
      throw UsageError(fmt::format(
          "the merging phase begins in epoch {}, the clusters have doubled to {} in epoch {} "
          "only\n  set force_full_embedding_epoch to a later one",
          merge_epoch(), options_.nb_clusters, doublings * options_.mod_epoch));
  }

  bool has_embedding_layer() const {
    const auto& all = store_.all();
    return std::any_of(all.begin(), all.end(), [this](const Parameter& one) {
      return one.name.rfind(options_.embedding_layer + ".", 0) == 0;
    });
  }
  std::int64_t merge_epoch() const {
    return options_.force_full_embedding_epoch == 0 ? never : options_.force_full_embedding_epoch;
  }
  bool merged(std::int64_t epoch) const { return epoch >= merge_epoch(); }
  /// How many times masks can have doubled, plus 1.
  std::int64_t levels() const {
    std::int64_t count = 1;
    while ((std::int64_t{1} << (count - 1)) < options_.nb_clusters) ++count;
    return count;
  }

  /// A parameter for every number of learners: what Adam knows of masks begins anew when they
  /// double, as in the published code.
  void make_masks(const Setup& setup) {
    const double normal = options_.masking_init == "normal" ? 0.7 : 0;
    for (std::int64_t level = 0; level < levels(); ++level) {
      const std::int64_t count = std::int64_t{1} << level;
      Parameter& one = (setup.scope / "masks")
                           .parameter(std::to_string(count), {count, setup.dim},
                                      [normal](Tensor& x, Random random) {
                                        init::normal(normal)(x, random);
                                        visit_float(x.dtype(), [&]<class T>() {
                                          for (T& v : x.data<T>()) v += T(normal > 0 ? 0.9 : 1);
                                        });
                                      });
      one.trainable = !options_.fixed_mask;
      one.lr_scale = options_.mask_lr_mult;
      one.decay_scale = options_.mask_wd_mult;
      if (options_.fixed_mask && one.value.defined())
        one.from_file(fixed_masks(count, setup.dim), store_.device());
      levels_.push_back(&one);
    }
  }

  Parameter& masks() const { return *levels_[static_cast<std::size_t>(level_)]; }

  /// Learnt masks are copied to both children of every cluster.
  void grow_masks(std::int64_t learners) {
    std::int64_t level = 0;
    while ((std::int64_t{1} << level) < learners) ++level;
    const std::int64_t from = std::max<std::int64_t>(1, count());
    level_ = 0;
    while ((std::int64_t{1} << level_) < from) ++level_;
    for (; level_ < level; ++level_) {
      if (options_.fixed_mask) continue;
      const Tensor old = masks().value.to_host().dense();
      Tensor next = Tensor::empty({2 * old.dim(0), old.dim(1)}, old.dtype());
      visit_float(old.dtype(), [&]<class T>() {
        for (std::int64_t k = 0; k < next.dim(0); ++k)
          std::copy_n(old.raw<T>() + k / 2 * old.dim(1), old.dim(1),
                      next.raw<T>() + k * old.dim(1));
      });
      levels_[static_cast<std::size_t>(level_ + 1)]->from_file(next, store_.device());
    }
  }

  /// The net but for its embedding layer gets rate 0, or its own again. Its moments go on.
  void rest_net(bool rest) {
    for (Parameter& one : store_.all()) {
      if (one.name.rfind("loss.", 0) == 0 || one.name.rfind(options_.embedding_layer + ".", 0) == 0)
        continue;
      const auto [own, first] = rates_.try_emplace(one.name, one.lr_scale);
      one.lr_scale = rest ? 0 : own->second;
    }
  }

  std::int64_t cluster_images(EpochView& view, std::int64_t learners) {
    const bool halve =
        options_.hierarchy == "top_bot" && view.epoch() > 0 && learners < options_.nb_clusters;
    const Tensor& seen =
        options_.penultimate_for_clusters ? unit_rows_of(view.features()) : view.embeddings();
    const Clusters before = view.epoch() == 0 ? Clusters{} : remembered();
    DivisionOptions division{.clusters = learners,
                             .halve = halve,
                             .published_matching = options_.published_matching,
                             .adaptive = options_.clustering_method != "kmeans",
                             .epoch = view.epoch()};
    if (options_.clustering_random_state >= 0)
      division.random_seed = options_.clustering_random_state;
    remember(divide_images(view.device(), seen, view.labels(), before, division), view.device());
    return halve ? 2 * learners : learners;
  }

  const Tensor& unit_rows_of(const Tensor& features) {
    const auto tape = Tape::infer(host_);
    unit_ = l2_normalize(tape->input(features.to_host().to(DType::f32))).value();
    return unit_;
  }

  Clusters remembered() const {
    if (clusters_ == nullptr) return known_;
    const Tensor host = clusters_->value.to_host();
    return {host.data<std::int64_t>().begin(), host.data<std::int64_t>().end()};
  }
  void remember(const Clusters& clusters, Device& device) {
    known_ = clusters;
    if (clusters_ == nullptr) return;
    clusters_->value = device.upload(
        Tensor::of<std::int64_t>({static_cast<std::int64_t>(clusters.size())}, clusters));
  }
  std::int64_t count() const { return learners_->value.to_host().data<std::int64_t>()[0]; }
  void set_count(std::int64_t learners) {
    learners_->value = store_.device().upload(Tensor::of<std::int64_t>({}, {learners}));
  }

  /// All images of a batch are of one cluster.
  std::int64_t learner_of(const Batch& batch) const {
    for (const std::int64_t image : batch.samples)
      if (image < static_cast<std::int64_t>(known_.size()) &&
          known_[static_cast<std::size_t>(image)] != none)
        return known_[static_cast<std::size_t>(image)];
    return 0;
  }

  Var metric_of(const Batch& batch, const Var& x) {
    if (inner_) {
      Batch own = batch;
      own.embedding = x;
      return (*inner_)(own);
    }
    if (options_.criterion == "triplet_all")
      return triplet_all_loss(x, batch.labels, options_.margin);
    if (options_.criterion == "triplet_semihard")
      return triplet_semihard_loss(x, batch.labels, options_.margin, options_.soft_loss);
    if (options_.criterion == "npairs") return npairs_loss(x, batch.labels, x.leaf(*alpha_));
    const Triplets triplets = mine(batch, x);
    if (options_.criterion == "triplet")
      return triplet_loss(x, triplets, options_.margin, options_.soft_loss);
    return margin_loss(x, triplets, batch.labels, x.leaf(*beta_),
                       {.margin = options_.margin, .nu = options_.nu})
        .loss;
  }

  Triplets mine(const Batch& batch, const Var& x) const {
    if (options_.miner == "distanceweighted")
      return mine_distance_weighted(x, batch.labels, {.furthest = options_.beta + options_.margin},
                                    batch.random);
    if (options_.miner == "easypeasy") return mine_easypeasy(x, batch.labels);
    return mine_one(x, batch.labels, options_.miner, options_.margin, batch.random);
  }

  Options options_;
  ParameterStore& store_;
  std::int64_t classes_;
  std::vector<Parameter*> levels_;
  std::int64_t level_ = 0;
  Parameter* clusters_ = nullptr;
  Parameter* learners_ = nullptr;
  Parameter* beta_ = nullptr;
  Parameter* alpha_ = nullptr;
  std::unique_ptr<Loss> inner_;
  Clusters known_;
  std::map<std::string, double> rates_;
  Device host_{Backend::cpu, 1};
  Tensor unit_;
};

const Register<Loss, Divide> divide_loss{{
    .name = "divide",
    .summary =
        "clusters of the training set train parts of the embedding, which are merged at last",
    .paper = "Sanakoyeu et al., Improving Deep Metric Learning by Divide and Conquer, TPAMI 2021",
    .details = "take it with sampler divide. Clusters are matched to learners by the right "
               "permutation unless published_matching is set; the head gives the embedding as it "
               "is (head.normalize none). Use it on large sets of many kinds, where one embedding "
               "has to tell very different things apart; small sets gain little.",
    .aliases = {"divide_conquer", "divide_and_conquer"},
}};

}  // namespace
}  // namespace dml::division
