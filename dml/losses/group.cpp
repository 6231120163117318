#include <fmt/core.h>

#include "dml/classifier.hpp"
#include "dml/group_loss/anchors.hpp"
#include "dml/group_loss/group_loss.hpp"
#include "dml/loss.hpp"

namespace dml {
namespace {

/// The Group Loss on the embedding (in the paper the pooled features), with a classifier of its
/// own. Default options are those published for CUB-200-2011.
class GroupLoss final : public Loss {
 public:
  struct Options {
    double temperature = 24;
    std::int64_t anchors = 2;
    std::int64_t iterations = 1;
    double scaling = 1;
    double ce_weight = 1;
    std::string prior = "softmax";
    double classifier_rate = 1;
    static constexpr std::tuple fields{
        field("temperature", &Options::temperature,
              "divides the logits that become the prior; large values make it flat", {1e-6, 1e9}),
        field("anchors", &Options::anchors, "images of each class whose label is taken as known",
              {0, 1e6}),
        field("iterations", &Options::iterations, "steps of replicator dynamics", {0, 1000}),
        field("scaling", &Options::scaling, "weight of the group term", {0, 1e6}),
        field("ce_weight", &Options::ce_weight, "weight of the cross-entropy of the logits",
              {0, 1e6}),
        field("prior", &Options::prior, "what images without a known label start from",
              "softmax|uniform|only_classes"),
        field("classifier_rate", &Options::classifier_rate,
              "learning rate of the classifier, times the net's; above 1 where a new classifier "
              "meets a trained net",
              {0, 1e6}),
    };
  };

  GroupLoss(Options options, const Setup& setup)
      : anchors_(options.anchors),
        options_{.temperature = options.temperature,
                 .iterations = options.iterations,
                 .scaling = options.scaling,
                 .ce_weight = options.ce_weight,
                 .prior = group_prior_of(options.prior)},
        classifier_(setup, options.classifier_rate) {
    if (setup.dim < 2)
      throw UsageError(fmt::format(
          "the rows of an embedding of {} numbers have no correlation; at least 2 are needed",
          setup.dim));
  }

  Var operator()(const Batch& batch) override {
    const GroupLossTerms terms =
        group_loss({.features = batch.embedding,
                    .logits = classifier_(batch),
                    .labels = batch.labels,
                    .anchors = choose_anchors(batch.labels.of(), anchors_)},
                   options_);
    note("group", terms.group);
    if (terms.cross_entropy.defined()) note("cross_entropy", terms.cross_entropy);
    return terms.loss;
  }

  // With no more images than anchors, nothing would be left to learn from the group.
  Requirements requirements() const override { return {.images_per_class = anchors_ + 1}; }

 private:
  std::int64_t anchors_;
  GroupLossOptions options_;
  Classifier classifier_;
};

const Register<Loss, GroupLoss> group_loss{{
    .name = "group",
    .summary = "class probabilities of a batch are refined by the similarity of its images",
    .paper = "Elezi et al., The Group Loss for Deep Metric Learning, ECCV 2020",
    .details =
        "as the published code: the similarity keeps its diagonal of 1, the mean runs over "
        "anchors too, the cross-entropy has no temperature. Use it on a net that was trained to "
        "classify before; all images of a batch then decide on each label together.",
    .aliases = {"group_loss"},
}};

}  // namespace
}  // namespace dml
