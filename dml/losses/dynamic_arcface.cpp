#include <algorithm>
#include <cmath>
#include <vector>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"

namespace dml {
namespace {

/// ArcFace with the margin a n_c^-lambda + b, in radians, for class c of n_c training images: the
/// fewer, the wider. Until the training set is known every class counts as of one image.
class DynamicArcFace final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // As for arcface.
    Options() : ClassOptions({"cosine", {}}, "mean", 50) {}
    double a = 0.5;
    double b = 0.05;
    double lambda = 0.25;
    double scale = 64;
    static constexpr auto fields = ClassOptions::with(
        field("a", &Options::a, "what the size of a class adds to the margin, at most", {0, 3.2}),
        field("b", &Options::b, "the smallest margin", {0, 3.2}),
        field("lambda", &Options::lambda, "how fast the margin shrinks with the size", {0, 100}),
        field("scale", &Options::scale, "times the cosines", {1e-6, 1e6}));
  };

  DynamicArcFace(const Options& options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "W", .init = init::normal(1), .only_distance = "cosine"}),
        options_(options),
        images_(static_cast<std::size_t>(setup.classes), 1) {}

  Var logits(const Var& x) override { return options_.scale * distance()(x, vectors(x)); }

  void before_epoch(EpochView& view) override {
    images_.assign(images_.size(), 0);
    for (const std::int64_t label : view.labels()) images_.at(static_cast<std::size_t>(label)) += 1;
  }

 protected:
  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    Tensor margins = Tensor::empty({classes()}, x.dtype());
    visit_float(x.dtype(), [&]<class T>() {
      for (std::size_t c = 0; c < images_.size(); ++c)
        margins.raw<T>()[c] = static_cast<T>(margin(std::max(images_[c], 1.0)));
    });
    const Var cosines = distance()(x, vectors(x));
    return reduced_cross_entropy(options_.scale * own_arc(cosines, batch.labels.tensor(), margins),
                                 batch);
  }

 private:
  double margin(double images) const {
    return options_.a * std::pow(images, -options_.lambda) + options_.b;
  }

  Options options_;
  std::vector<double> images_;  // of every class
};

const Register<Loss, DynamicArcFace> registered{{
    .name = "dynamic_arcface",
    .summary = "ArcFace with wider margins for classes of few images",
    .paper = "Ha et al., Google Landmark Recognition 2020 Competition Third Place Solution, 2020",
    .details = "sizes of classes are those of the training set, counted before every epoch",
}};

}  // namespace
}  // namespace dml
