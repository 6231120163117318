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
        device_(setup.scope.store().device()),
        margins_(setup.scope.buffer("margins", {setup.classes}, init::constant(margin(1)))) {}

  Var logits(const Var& x) override { return options_.scale * distance()(x, vectors(x)); }

  void before_epoch(EpochView& view) override {
    std::vector<double> images(static_cast<std::size_t>(classes()), 0);
    for (const std::int64_t label : view.labels()) images.at(static_cast<std::size_t>(label)) += 1;
    for (double& one : images) one = margin(std::max(one, 1.0));
    margins_.from_file(Tensor::of<double>({classes()}, images), device_);
  }

 protected:
  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var cosines = distance()(x, vectors(x));
    return reduced_cross_entropy(
        options_.scale * own_arc(cosines, batch.labels.tensor(), margins_.value), batch);
  }

 private:
  double margin(double images) const {
    return options_.a * std::pow(images, -options_.lambda) + options_.b;
  }

  Options options_;
  const Device& device_;
  Parameter& margins_;  // of every class; a buffer, so that a run that goes on has them
};

const Register<Loss, DynamicArcFace> dynamic_arcface_loss{{
    .name = "dynamic_arcface",
    .summary = "ArcFace with wider margins for classes of few images",
    .paper = "Ha et al., Google Landmark Recognition 2020 Competition Third Place Solution, 2020",
    .details =
        "sizes of classes are those of the training set, counted before every epoch. Use it where "
        "classes differ much in size, as landmarks do: rare classes get larger margins.",
}};

}  // namespace
}  // namespace dml
