#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/class_margin.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// Cross-entropy of scale cos, cos = clamp(x w_c / |w_c|, 1e-10, 1 - 1e-10) for all classes, so
/// that negative cosines pass no gradient; the own one is cos(acos(cos) + margin) at any angle. The
/// upper bound is 1 - 1e-7 in f32.
class RevisitingArcFace final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // 5e-4 beside a net at 1e-5, no decay.
    Options() : ClassOptions({"dot", {{"normalize", "false"}}}, "mean", 50) { decay_scale = 0; }
    double angular_margin = 0.5;
    double feature_scale = 16;
    static constexpr auto fields = ClassOptions::with(
        field("angular_margin", &Options::angular_margin, "added to the own angle, in radians",
              {0, 3.15}),
        field("feature_scale", &Options::feature_scale, "times the cosines", {1e-6, 1e6}));
  };

  RevisitingArcFace(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "class_map",
                   .init = init::uniform(1 / std::sqrt(static_cast<double>(setup.dim))),
                   .only_distance = "dot"}),
        options_(options) {}

  Var logits(const Var& x) override { return options_.feature_scale * cosines(x); }

 protected:
  Var classify(const Batch& batch) override {
    const Var wide =
        own_arc(cosines(batch.embedding), batch.labels.tensor(), options_.angular_margin, false);
    return reduced_cross_entropy(options_.feature_scale * wide, batch);
  }

 private:
  Var cosines(const Var& x) const {
    const double least = 1e-10, gap = x.dtype() == DType::f64 ? 1e-10 : 1e-7;
    return clamp(distance()(x, unit_rows(vectors(x))), least, 1 - gap);
  }

  Options options_;
};

const Register<Loss, RevisitingArcFace> revisiting_arcface_loss{{
    .name = "revisiting_arcface",
    .summary = "ArcFace as Revisiting-DML has it: all cosines are cut to positive values",
    .paper = "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep "
             "Metric Learning, ICML 2020; Deng et al., ArcFace, CVPR 2019",
    .details = "embeddings are used as they come: the net normalises. Use it to repeat the study; "
               "arcface for new work.",
}};

}  // namespace
}  // namespace dml
