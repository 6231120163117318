#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "dml/intra_batch/losses.hpp"
#include "dml/intra_batch/network.hpp"
#include "dml/intra_batch/options.hpp"
#include "dml/intra_batch/refine.hpp"
#include "dml/loss.hpp"
#include "engine/safetensors.hpp"
#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/dropout.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/softmax.hpp"

namespace dml::intra_batch {
namespace {

const std::set<std::string> known_terms{"ce",        "lsce",      "focalce", "gnn",
                                        "lsgnn",     "focalgnn",  "center",  "triplet",
                                        "distillSh", "distillKL", "ofpre",   "distance"};

/// "lsce_lsgnn" as {"lsce", "lsgnn"}.
std::set<std::string> terms_of(const std::string& list) {
  std::set<std::string> terms;
  std::istringstream parts(list);
  for (std::string term; std::getline(parts, term, '_');) {
    if (!known_terms.contains(term))
      throw UsageError(fmt::format("terms = '{}': there is no term '{}'; known: {}", list, term,
                                   fmt::join(known_terms, ", ")));
    terms.insert(term);
  }
  if (terms.empty()) throw UsageError("terms is empty: a loss needs at least one");
  return terms;
}

/// What a teacher gave for the training images.
class Teacher {
 public:
  Teacher(const std::string& file, bool logits, bool features) {
    if (!logits && !features) return;
    if (file.empty())
      throw UsageError(
          "distillSh, distillKL, ofpre and distance learn from a teacher: set teacher to a "
          ".safetensors file with `logits` or `features` of the training images");
    const SafeTensors contents = read_safetensors(file);
    if (logits) logits_ = contents.at("logits").to(DType::f64);
    if (features) features_ = contents.at("features").to(DType::f64);
  }
  Var logits(const Loss::Batch& batch) const { return rows(logits_, batch, "logits"); }
  Var features(const Loss::Batch& batch) const { return rows(features_, batch, "features"); }

 private:
  static Var rows(const Tensor& all, const Loss::Batch& batch, const char* what) {
    const auto n = static_cast<std::int64_t>(batch.samples.size());
    DML_CHECK(n == batch.labels.size(), "the teacher needs to know which images the batch holds");
    Tensor picked = Tensor::empty({n, all.dim(1)}, DType::f64);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t image = batch.samples[static_cast<std::size_t>(i)];
      DML_CHECK(image < all.dim(0), fmt::format("the teacher has {} of {} images; the batch holds "
                                                "image {}",
                                                what, all.dim(0), image));
      const auto from = all.row<double>(image);
      std::copy(from.begin(), from.end(), picked.row<double>(i).begin());
    }
    return batch.embedding.constant_like(picked.to(batch.embedding.dtype()));
  }
  Tensor logits_, features_;
};

/// Intra-batch connections: the images of a batch exchange messages, and both they and the
/// embeddings before it are classified.
class IntraBatch final : public Loss {
 public:
  using Options = intra_batch::Options;

  IntraBatch(Options options, const Setup& setup)
      : options_(std::move(options)),
        terms_(terms_of(options_.terms)),
        classes_(setup.classes),
        network_(options_.network(setup.products), setup.scope / "mpn", setup.dim, setup.classes),
        teacher_(options_.teacher, has("distillSh") || has("distillKL"),
                 has("ofpre") || has("distance")) {
    const Scope place = setup.scope / "classifier";
    const Init uniform = init::uniform(1 / std::sqrt(static_cast<double>(setup.dim)));
    const auto or_uniform = [&](const Init& wanted) { return wanted ? wanted : uniform; };
    weight_ = &place.parameter(
        "weight", {setup.classes, setup.dim},
        options_.encoder_neck ? init::normal(0.001) : or_uniform(setup.classifier.weight));
    if (!options_.encoder_neck)
      bias_ = &place.parameter("bias", {setup.classes}, or_uniform(setup.classifier.bias));
    if (!has("center")) return;
    centres_ =
        &setup.scope.parameter("centers", {setup.classes, network_.width()}, init::normal(1));
    centres_->group = "centers";
  }

  Var operator()(const Batch& batch) override {
    DML_CHECK(batch.labels.classes() == classes_,
              fmt::format("intra_batch: labels of {} classes, the classifiers have {}",
                          batch.labels.classes(), classes_));
    total_ = {};
    const Var nodes = nodes_of(batch);
    encoder_terms(batch, nodes);
    if (has("gnn") || has("lsgnn") || has("focalgnn") || has("center")) {
      const Refined refined = network_(
          nodes, 1, [this](DropPlace place, const Var& x) { return dropout(x, share(place)); });
      for (const Var& logits : refined.logits)
        classification("gnn", logits, batch, options_.scaling_gnn);
      if (has("center")) add_center(refined.features.back(), batch.labels);
    }
    return std::exchange(total_, {});
  }

  Var embed(const Var& embedding) override {
    return options_.output == "norm" ? embedding : l2_normalize(embedding);
  }

  Tensor embed_set(Device& device, const Tensor& embeddings, std::span<const std::int64_t> queries,
                   std::span<const std::int64_t> gallery) override {
    if (options_.test_mode == "backbone") return embeddings;
    return refine(device, network_, embeddings, queries, gallery,
                  {.size = options_.pseudo_images, .k1 = options_.k1});
  }

 private:
  bool has(const std::string& term) const { return terms_.contains(term); }

  double share(DropPlace place) const {
    switch (place) {
      case DropPlace::weights:
        return options_.dropout_attention;
      case DropPlace::message:
        return options_.dropout_1;
      case DropPlace::hidden:
        return options_.dropout_mlp;
      default:
        return options_.dropout_2;
    }
  }

  Var nodes_of(const Batch& batch) const {
    if (options_.output == "norm") return batch.embedding;
    if (options_.output == "plain") return l2_normalize(batch.embedding);
    DML_CHECK(batch.neck.defined(),
              "intra_batch: output = neck, but the head has no neck\n  set head.neck = true");
    return batch.neck;
  }

  void add(const std::string& name, double weight, const Var& value) {
    note(name, value);
    const Var term = weight * value;
    total_ = total_.defined() ? total_ + term : term;
  }

  /// The classification terms of one classifier: stage is "ce" or "gnn".
  void classification(const std::string& stage, const Var& logits, const Batch& batch,
                      double weight) {
    const Tensor labels = batch.labels.tensor();
    const double t = options_.temperature;
    if (has(stage)) add(stage, weight, cross_entropy(logits, labels, {.temperature = t}));
    if (has("ls" + stage))
      add("ls" + stage, weight,
          cross_entropy(logits, labels,
                        {.label_smoothing = options_.label_smoothing, .temperature = t}));
    if (has("focal" + stage))
      add("focal" + stage, weight, focal_loss(logits / t, labels, options_.gamma));
  }

  void encoder_terms(const Batch& batch, const Var& nodes) {
    const Var& x = options_.encoder_neck ? batch.neck : batch.embedding;
    DML_CHECK(x.defined(), "intra_batch: encoder_neck, but the head has no neck\n  set head.neck");
    const Var logits = linear(x, x.leaf(*weight_), bias_ == nullptr ? Var{} : x.leaf(*bias_));
    classification("ce", logits, batch, options_.scaling_ce);
    if (has("triplet"))
      add("triplet", options_.scaling_triplet,
          batch_hard_triplet(nodes, batch.labels, options_.margin));
    for (const std::string name : {"distillSh", "distillKL"}) {
      if (!has(name)) continue;
      const double t = options_.soft_temp;
      const Var targets = softmax(teacher_.logits(batch), t);
      add(name, options_.scaling_distill,
          name == "distillSh" ? soft_target_cross_entropy(logits, targets, t)
                              : soft_target_divergence(logits, targets, t));
    }
    if (has("ofpre"))
      add("ofpre", options_.scaling_of_pre, smooth_l1_loss(nodes, teacher_.features(batch)));
    if (has("distance"))
      add("distance", options_.scaling_distance,
          relational_distance(teacher_.features(batch), nodes));
  }

  /// The published code divides the gradient of the centres by the weight of the term: the features
  /// get the weighted gradient, the centres the plain one.
  void add_center(const Var& features, const Labels& labels) {
    const Var centres = features.leaf(*centres_);
    add("center", options_.scaling_center, center_loss(features, centres.detached(), labels));
    const Var plain = center_loss(features.detached(), centres, labels);
    total_ = total_ + (plain - plain.detached());  // nothing but a gradient
  }

  Options options_;
  std::set<std::string> terms_;
  std::int64_t classes_;
  Network network_;
  Teacher teacher_;
  Parameter* weight_ = nullptr;
  Parameter* bias_ = nullptr;
  Parameter* centres_ = nullptr;
  Var total_;  // of the batch at hand
};

const Register<Loss, IntraBatch> intra_batch_loss{{
    .name = "intra_batch",
    .summary = "the images of a batch exchange messages before they are classified",
    .paper = "Seidenschwarz et al., Learning Intra-Batch Connections for Deep Metric Learning, "
             "ICML 2021",
    .details = "as the published code: attention weights have an extra 1 in their denominator, "
               "both classifiers use the temperature and label smoothing, and the message passing "
               "is thrown away at test time unless test_mode is pseudo. The head gives the "
               "embedding as it is (head.normalize none): the loss normalises where the paper "
               "does. Use it where images of a batch should correct each other's features in "
               "training; evaluation needs the backbone alone.",
    .aliases = {"intra_batch_connections", "mpn"},
}};

}  // namespace
}  // namespace dml::intra_batch
