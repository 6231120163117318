#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/max_axis.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// ArcFace on cos_c = the largest cosine to one of the K vectors of class c; the gradient goes to
/// that vector alone.
class SubCenterArcFace final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // As for arcface.
    Options() : ClassOptions({"cosine", {}}, "mean", 50) {}
    double margin = 28.6;
    double scale = 64;
    std::int64_t sub_centers = 3;
    static constexpr auto fields = ClassOptions::with(
        field("margin", &Options::margin, "added to the own angle, in degrees", {0, 180}),
        field("scale", &Options::scale, "times the cosines", {1e-6, 1e6}),
        field("sub_centers", &Options::sub_centers, "vectors of every class", {1, 1000}));
  };

  SubCenterArcFace(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "W",
                   .init = init::normal(1),
                   .per_class = options.sub_centers,
                   .only_distance = "cosine"}),
        margin_(options.margin * degree),
        scale_(options.scale) {}

  Var logits(const Var& x) override { return scale_ * nearest(x); }

 protected:
  Var classify(const Batch& batch) override {
    const Var cosines = nearest(batch.embedding);
    return reduced_cross_entropy(scale_ * own_arc(cosines, batch.labels.tensor(), margin_), batch);
  }

 private:
  /// [n, classes]
  Var nearest(const Var& x) const {
    const Var all = distance()(x, vectors(x));
    return max(reshape(all, {x.dim(0), classes(), per_class()}), 2).values;
  }

  double margin_, scale_;
};

const Register<Loss, SubCenterArcFace> sub_center_arcface_loss{{
    .name = "sub_center_arcface",
    .summary = "ArcFace with several vectors for every class, of which the nearest counts",
    .paper = "Deng et al., Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web "
             "Faces, ECCV 2020",
    .details = "vector k of class c is row c * K + k; sub_center_outliers (dml/sub_centers.hpp) "
               "finds mislabelled images with them. Use it as arcface where labels are noisy: "
               "wrong images gather at a center of their own.",
}};

}  // namespace
}  // namespace dml
