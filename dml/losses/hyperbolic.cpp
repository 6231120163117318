#include "ops/hyperbolic.hpp"

#include <algorithm>
#include <cmath>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/class_margin.hpp"
#include "ops/euclidean.hpp"
#include "ops/matmul.hpp"
#include "ops/norm.hpp"
#include "ops/repeat.hpp"
#include "ops/softmax.hpp"
#include "ops/square_root.hpp"
#include "ops/sum.hpp"
#include "ops/tanh.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// Embeddings, cut to length `clip`, are mapped to the Poincare ball of curvature c,
/// exp0(v) = tanh(sqrt(c) |v|) v / (sqrt(c) |v|); D(x, y) = (2 / sqrt(c)) artanh(sqrt(c) |-x + y|)
/// with Mobius addition, |-x + y|^2 = |x - y|^2 / (1 - 2c xy + c^2 |x|^2 |y|^2). The loss is the
/// mean over ordered positive pairs (i, j) of -log softmax over the other samples of -D_i / tau,
/// at j.
class Hyperbolic final : public CommonLoss {
 public:
  struct Options : CommonOptions {
    Options() : CommonOptions("mean") {}
    double c = 0.1;
    double tau = 0.3;
    double clip = 2.3;
    static constexpr auto fields = CommonOptions::with(
        field("c", &Options::c, "curvature of the ball", {1e-6, 1e3}),
        field("tau", &Options::tau, "temperature", {1e-6, 1e6}),
        field("clip", &Options::clip, "embeddings are cut to this length; 0: never", {0, 1e6}));
  };

  Hyperbolic(const Options& options, const Setup&) : CommonLoss(options), options_(options) {}

  Requirements requirements() const override { return {.images_per_class = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    if (batch.tuples != nullptr || batch.reference.defined())
      throw UsageError("hyperbolic takes neither pairs nor a reference set");
    const Var& x = batch.embedding;
    const std::int64_t n = x.dim(0);
    const Var d = distances(in_ball(x));
    Tensor rows = Tensor::empty({n}, DType::i64);
    for (std::int64_t i = 0; i < n; ++i) rows.raw<std::int64_t>()[i] = i;
    const Var logits = d / -options_.tau;
    const Tensor positive = batch.labels.positive_pairs(x.dtype());
    const Var mask = x.constant_like(positive);
    // A batch of one has nothing to compare with.
    if (n < 2) return 0.0 * sum(d);
    const Var all = logsumexp(without_own(logits, rows), 1, true);
    const Var cost = (broadcast_to(all, d.shape()) - logits) * mask;
    double pairs = 0;
    visit_float(positive.dtype(), [&]<class T>() {
      for (const T value : positive.data<T>()) pairs += static_cast<double>(value);
    });
    const Var loss = sum(cost) / std::max(pairs, 1.0);
    note("loss", loss);
    return loss;
  }

 private:
  Var in_ball(const Var& x) const {
    const double root = std::sqrt(options_.c);
    Var length = norm(x, -1, true);
    if (options_.clip > 0) length = clamp(length, 0, options_.clip);
    return unit_rows(x) * broadcast_to(tanh(root * length) / root, x.shape());
  }
  Var distances(const Var& x) const {
    const double c = options_.c;
    const Var squares = sum(square(x), 1, true);
    const Var lengths = matmul(squares, squares, {.a = false, .b = true});
    const Var products = matmul(x, x, {.a = false, .b = true});
    const Var under = clamp_min(affine(products, -2 * c, 1) + (c * c) * lengths, 1e-12);
    const Var apart = euclidean(x, 2) / under;
    return (2 / std::sqrt(c)) * artanh(std::sqrt(c) * square_root(apart));
  }

  Options options_;
};

const Register<Loss, Hyperbolic> hyperbolic_loss{{
    .name = "hyperbolic",
    .summary = "cross-entropy of distances in the Poincare ball",
    .paper = "Ermolov et al., Hyperbolic Vision Transformers: Combining Improvements in Metric "
             "Learning, CVPR 2022",
    .details = "with two images of every class in a batch it is the loss of the published code. "
               "Use it for data with a hierarchy, and with transformers or small embeddings.",
    .aliases = {"hyp_vit"},
}};

}  // namespace
}  // namespace dml
