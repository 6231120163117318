#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"

namespace dml {
namespace {

/// Cross-entropy of z_y = scale (cos_y - margin), z_c = scale cos_c.
class CosFace final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    Options() : ClassOptions({"cosine", {}}) {}
    double margin = 0.35;
    double scale = 64;
    static constexpr auto fields =
        ClassOptions::with(field("margin", &Options::margin, "taken off the own cosine", {-2, 2}),
                           field("scale", &Options::scale, "times the cosines", {1e-6, 1e6}));
  };

  CosFace(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "W", .init = init::normal(1), .only_distance = "cosine"}),
        margin_(options.margin),
        scale_(options.scale) {}

  Var logits(const Var& x) override { return scale_ * distance()(x, vectors(x)); }

 protected:
  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var cosines = distance()(x, vectors(x));
    return reduced_cross_entropy(scale_ * own_shift(cosines, batch.labels.tensor(), -margin_),
                                 batch);
  }

 private:
  double margin_, scale_;
};

const Register<Loss, CosFace> cosface_loss{{
    .name = "cosface",
    .summary = "softmax over scaled cosines, a margin taken off the own one",
    .paper = "Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, CVPR 2018",
    .details = "Use it as arcface, where training of that diverges: its margin is gentler for "
               "embeddings far from their class.",
    .aliases = {"am_softmax", "lmcl"},
}};

}  // namespace
}  // namespace dml
