#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// Cross-entropy of z_c = sim(x, w_c / |w_c|) / temperature.
class NormalizedSoftmax final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    Options() : ClassOptions({"dot", {}}) {}
    double temperature = 0.05;
    std::string init = "normal";
    static constexpr auto fields = ClassOptions::with(
        field("temperature", &Options::temperature, "divides the logits", {1e-6, 1e9}),
        field("init", &Options::init,
              "first class vectors: normal(0, 1), or uniform in +-1/sqrt(dim)", "normal|uniform"));
  };

  NormalizedSoftmax(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "W",
                   .init = options.init == "normal"
                               ? init::normal(1)
                               : init::uniform(1 / std::sqrt(static_cast<double>(setup.dim)))}),
        temperature_(options.temperature) {}

  Var logits(const Var& x) override {
    return distance()(x, unit_rows(vectors(x))) * (-distance().sign() / temperature_);
  }

 protected:
  Var classify(const Batch& batch) override {
    return reduced_cross_entropy(logits(batch.embedding), batch);
  }

 private:
  double temperature_;
};

const Register<Loss, NormalizedSoftmax> normalized_softmax_loss{{
    .name = "normalized_softmax",
    .summary = "softmax over similarities to normalised class vectors",
    .paper = "Wang et al., NormFace: L2 Hypersphere Embedding for Face Verification, MM 2017; Zhai "
             "and Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019",
    .details =
        "class vectors are always normalised, embeddings as the distance says. The softmax "
        "criterion of Revisiting-DML is distance.normalize = false, init = uniform. Use it as the "
        "first thing to try with many images a class: no pairs, any batch, one temperature.",
    .aliases = {"normface"},
}};

}  // namespace
}  // namespace dml
