#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_logsumexp.hpp"
#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// Sum over classes c of log(1 + sum over y_i = c of exp(-alpha (s_ic - margin))) / (number of
/// classes in the batch) + sum over c of log(1 + sum over y_i != c of exp(alpha (s_ic + margin)))
/// / C. Given tuples, the weight of sample i minus 1 is added to its exponents.
class ProxyAnchor final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // The authors' code: proxies at 100 times the net's rate.
    Options() : ClassOptions({"cosine", {}}, "divisor", 100) {}
    double margin = 0.1;
    double alpha = 32;
    std::string norm_floor = "maximum";
    static constexpr auto fields = ClassOptions::with(
        field("margin", &Options::margin, "delta: how far from 0 similarities should be", {-4, 4}),
        field("alpha", &Options::alpha, "times the exponents", {1e-6, 1e6}),
        field("norm_floor", &Options::norm_floor,
              "cosines divide by max(|x|, 1e-12), or by sqrt(x^2 + 1e-12) as the authors' code",
              "maximum|added"));
  };

  ProxyAnchor(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "proxies",
                   .init = init::normal(std::sqrt(2.0 / static_cast<double>(setup.classes))),
                   .only_distance = options.norm_floor == "added" ? "cosine" : ""}),
        margin_(options.margin),
        alpha_(options.alpha),
        added_(options.norm_floor == "added") {}

  Var logits(const Var& x) override {
    if (!added_) return distance()(x, vectors(x));
    return matmul(l2_normalize(x, 1e-12, NormFloor::added),
                  l2_normalize(vectors(x), 1e-12, NormFloor::added), {.a = false, .b = true});
  }

 protected:
  Var classify(const Batch& batch) override {
    const Var s = logits(batch.embedding);
    const Tensor labels = batch.labels.tensor();
    const double slope = alpha_ * distance().sign();
    const Var near = class_logsumexp(weighted(affine(s, slope, -slope * margin_), batch), labels,
                                     ClassSide::own);
    const Var far = class_logsumexp(weighted(affine(s, -slope, -slope * margin_), batch), labels,
                                    ClassSide::other);
    const auto present = static_cast<double>(batch.labels.distinct());
    return reduced_classes("pos_loss", near, Tensor::of<double>({}, {present})) +
           reduced_classes("neg_loss", far,
                           Tensor::of<double>({}, {static_cast<double>(classes())}));
  }

 private:
  static Var weighted(const Var& exponents, const Batch& batch) {
    if (batch.tuples == nullptr) return exponents;
    const std::int64_t n = exponents.dim(0);
    const Var w = exponents.constant_like(
        sample_weights(exponents.device(), batch.tuples, n, exponents.dtype()));
    return exponents + broadcast_to(reshape(w - 1, {n, 1}), exponents.shape());
  }

  double margin_, alpha_;
  bool added_;
};

const Register<Loss, ProxyAnchor> proxy_anchor_loss{{
    .name = "proxy_anchor",
    .summary = "every class's proxy is an anchor that draws its own images and pushes the others",
    .paper = "Kim et al., Proxy Anchor Loss for Deep Metric Learning, CVPR 2020",
    .details =
        "proxies begin normal with deviation sqrt(2 / classes) and learn at 100 times the "
        "net's rate; published with AdamW, 1e-4, weight decay 1e-4, one epoch of warm-up. Use it "
        "as the first choice with batches of any composition: fast to converge, no sampler needed.",
}};

}  // namespace
}  // namespace dml
