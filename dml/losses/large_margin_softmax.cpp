#include <algorithm>
#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/matmul.hpp"
#include "ops/norm.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// What both losses can be told.
struct MultipleAngleOptions : ClassOptions {
  MultipleAngleOptions() : ClassOptions({"cosine", {}}) {}
  std::int64_t margin = 4;
  double scale = 1;
  double annealing = 0;
  double annealing_gamma = 0.12;
  double annealing_power = 1;
  double annealing_min = 5;
  static constexpr auto fields = ClassOptions::with(
      field("margin", &MultipleAngleOptions::margin, "the own angle is multiplied by it", {1, 32}),
      field("scale", &MultipleAngleOptions::scale, "times the logits", {1e-6, 1e6}),
      field("annealing", &MultipleAngleOptions::annealing,
            "first lambda of the blend (psi + lambda cos) / (1 + lambda); 0: no annealing",
            {0, 1e9}),
      field("annealing_gamma", &MultipleAngleOptions::annealing_gamma,
            "lambda = max(annealing_min, annealing (1 + gamma step)^-power)", {0, 1e6}),
      field("annealing_power", &MultipleAngleOptions::annealing_power, "see annealing_gamma",
            {0, 100}),
      field("annealing_min", &MultipleAngleOptions::annealing_min, "see annealing_gamma",
            {0, 1e9}));
};

/// Cross-entropy of z_y = s |w_y| |x| psi(angle_y), z_c = s |w_c| |x| cos_c with
/// psi = (-1)^k cos(m angle) - 2k, k = floor(m angle / pi), a constant for the gradient. Without
/// `lengths` the class vectors have length 1 (SphereFace).
class MultipleAngleLoss : public ClassLoss {
 public:
  Var logits(const Var& x) override { return times_lengths(distance()(x, vectors(x)), x); }

 protected:
  MultipleAngleLoss(const MultipleAngleOptions& options, const Setup& setup, bool lengths)
      : ClassLoss(options, setup,
                  {.parameter = "W", .init = init::normal(1), .only_distance = "cosine"}),
        options_(options),
        lengths_(lengths) {}

  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var bent = own_multiple_angle(distance()(x, vectors(x)), batch.labels.tensor(),
                                        options_.margin, lambda(batch.step));
    return reduced_cross_entropy(times_lengths(bent, x), batch);
  }

 private:
  double lambda(std::int64_t step) const {
    if (options_.annealing == 0) return 0;
    const double slowed = 1 + options_.annealing_gamma * static_cast<double>(step);
    return std::max(options_.annealing_min,
                    options_.annealing * std::pow(slowed, -options_.annealing_power));
  }
  Var times_lengths(const Var& cosines, const Var& x) const {
    const Var rows = options_.scale * norm(x, -1, true);
    if (!lengths_) return cosines * broadcast_to(rows, cosines.shape());
    return cosines * matmul(rows, norm(vectors(x), -1, true), {.a = false, .b = true});
  }

  MultipleAngleOptions options_;
  bool lengths_;
};

class LargeMarginSoftmax final : public MultipleAngleLoss {
 public:
  using Options = MultipleAngleOptions;
  LargeMarginSoftmax(const Options& options, const Setup& setup)
      : MultipleAngleLoss(options, setup, true) {}
};

class SphereFace final : public MultipleAngleLoss {
 public:
  using Options = MultipleAngleOptions;
  SphereFace(const Options& options, const Setup& setup)
      : MultipleAngleLoss(options, setup, false) {}
};

const Register<Loss, LargeMarginSoftmax> large_margin{{
    .name = "large_margin_softmax",
    .summary = "softmax whose own angle is multiplied by an integer",
    .paper = "Liu et al., Large-Margin Softmax Loss for Convolutional Neural Networks, ICML 2016",
    .details = "the paper blends with the plain cosine at first: annealing = 1000. Use it for "
               "comparison with the literature; cosface and arcface train more steadily.",
    .aliases = {"l_softmax"},
}};

const Register<Loss, SphereFace> sphereface{{
    .name = "sphereface",
    .summary = "large-margin softmax with class vectors of length 1",
    .paper = "Liu et al., SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017",
    .details = "the paper blends with the plain cosine at first: annealing = 1000. Use it for "
               "comparison with the literature; cosface and arcface train more steadily.",
    .aliases = {"a_softmax"},
}};

}  // namespace
}  // namespace dml
