#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"

namespace dml {
namespace {

/// Cross-entropy of z_y = scale cos(angle_y + m) for angle_y <= pi - m, scale (cos_y - m sin m)
/// beyond, and z_c = scale cos_c. Where 1 - cos_y^2 < 1e-12 (1e-6 in f32) the embedding is parallel
/// to its class vector, and no gradient flows through z_y.
class ArcFace final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // Revisiting-DML: class vectors at 5e-4 beside a net at 1e-5.
    Options() : ClassOptions({"cosine", {}}, "mean", 50) {}
    double margin = 28.6;
    double scale = 64;
    static constexpr auto fields = ClassOptions::with(
        field("margin", &Options::margin, "added to the own angle, in degrees", {0, 180}),
        field("scale", &Options::scale, "times the cosines", {1e-6, 1e6}));
  };

  ArcFace(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "W", .init = init::normal(1), .only_distance = "cosine"}),
        margin_(options.margin * degree),
        scale_(options.scale) {}

  Var logits(const Var& x) override { return scale_ * distance()(x, vectors(x)); }

 protected:
  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var cosines = distance()(x, vectors(x));
    return reduced_cross_entropy(scale_ * own_arc(cosines, batch.labels.tensor(), margin_), batch);
  }

 private:
  double margin_, scale_;
};

const Register<Loss, ArcFace> arcface_loss{{
    .name = "arcface",
    .summary = "softmax over scaled cosines, a margin added to the own angle",
    .paper = "Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR "
             "2019",
    .details = "class vectors learn at 50 times the net's rate (Revisiting-DML: 5e-4 and 1e-5). "
               "Use it with many classes that have many images each, and where labels are clean: a "
               "strong default for faces and large catalogues.",
}};

}  // namespace
}  // namespace dml
