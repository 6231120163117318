#include "dml/classifier.hpp"
#include "dml/loss.hpp"
#include "ops/cross_entropy.hpp"

namespace dml {
namespace {

/// Plain classification: cross-entropy of a linear classifier on the embedding.
class SoftmaxLoss final : public Loss {
 public:
  struct Options {
    double temperature = 1;
    double label_smoothing = 0;
    double classifier_rate = 1;
    static constexpr std::tuple fields{
        field("temperature", &Options::temperature, "divides the logits", {1e-6, 1e9}),
        field("label_smoothing", &Options::label_smoothing,
              "share of the target that is spread over all classes", {0, 1}),
        field("classifier_rate", &Options::classifier_rate,
              "learning rate of the classifier, times the net's; above 1 where a new classifier "
              "meets a trained net",
              {0, 1e6}),
    };
  };

  SoftmaxLoss(Options options, const Setup& setup)
      : options_(options), classifier_(setup, options.classifier_rate) {}

  Var operator()(const Batch& batch) override {
    return cross_entropy(
        classifier_(batch), batch.labels.tensor(),
        {.label_smoothing = options_.label_smoothing, .temperature = options_.temperature});
  }

 private:
  Options options_;
  Classifier classifier_;
};

const Register<Loss, SoftmaxLoss> softmax_loss{{
    .name = "softmax",
    .summary = "cross-entropy of a linear classifier; the first stage of several methods",
    .details = "Use it as the baseline of classification, or to train a net before another loss.",
    .aliases = {"cross_entropy", "classification"},
}};

}  // namespace
}  // namespace dml
