#include <algorithm>
#include <cmath>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/exp.hpp"
#include "ops/gather.hpp"
#include "ops/leaky_relu.hpp"
#include "ops/matmul.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"
#include "ops/unit_rows.hpp"
#include "ops/variance.hpp"

namespace dml {
namespace {

/// Every class is a normal distribution with mean m and log-variance v. M_ic = sum_d (x^ - m^)^2 /
/// exp(relu6(v)) with unit x^, m^; L_D is the cross-entropy of -tau M. The classes of the batch are
/// the edges of a hypergraph on its images, H_ic = 1 for the own class, exp(-alpha M_ic) for the
/// others; two layers propagate with G = D_v^-1/2 H D_e^-1 H^T D_v^-1/2:
/// z = G theta2(LeakyReLU(BN(G theta1(x)))). Loss = L_D + weight cross-entropy of z.
class Hist final : public CommonLoss {
 public:
  struct Options : CommonOptions {
    Options() : CommonOptions("mean") {}
    double tau = 32;
    double alpha = 0.9;
    double weight = 1;
    std::int64_t hidden = 512;
    double lr_scale = 1000;
    double net_lr_scale = 10;
    static constexpr auto fields = CommonOptions::with(
        field("tau", &Options::tau, "times the distances to the classes", {1e-6, 1e6}),
        field("alpha", &Options::alpha, "how fast membership of other classes fades", {0, 1e6}),
        field("weight", &Options::weight, "of the classification by the hypergraph net", {0, 1e6}),
        field("hidden", &Options::hidden, "width of the hypergraph net", {1, 65536}),
        field("lr_scale", &Options::lr_scale,
              "the distributions learn at this multiple of the net's rate", {0, 1e9}),
        field("net_lr_scale", &Options::net_lr_scale,
              "the hypergraph net learns at this multiple of the net's rate", {0, 1e9}));
  };

  Hist(const Options& options, const Setup& setup)
      : CommonLoss(options),
        options_(options),
        classes_(setup.classes),
        means_(learnt(setup.scope, "means", {setup.classes, setup.dim}, options.lr_scale)),
        log_vars_(learnt(setup.scope, "log_vars", {setup.classes, setup.dim}, options.lr_scale)),
        first_(setup.scope / "theta1", setup.dim, options.hidden, options.net_lr_scale),
        scale_(setup.scope.parameter("bn1.weight", {options.hidden}, init::constant(1))),
        shift_(setup.scope.parameter("bn1.bias", {options.hidden}, init::zeros())),
        second_(setup.scope / "theta2", options.hidden, setup.classes, options.net_lr_scale) {
    scale_.lr_scale = shift_.lr_scale = options.net_lr_scale;
  }

  Var logits(const Var& x) override { return -options_.tau * distances(x); }

 protected:
  Var compute(const Batch& batch) override {
    if (batch.tuples != nullptr || batch.reference.defined())
      throw UsageError("hist takes neither pairs nor a reference set");
    const Var& x = batch.embedding;
    const Tensor labels = batch.labels.tensor();
    const Var far = distances(x);
    const Var nearest = cross_entropy(-options_.tau * far, labels, {.reduction = Reduction::none});
    const Var cost = reduced("dist_loss", ItemList{.values = nearest}, batch);
    if (options_.weight == 0) return cost;
    const Var z = propagated(x, membership(far, batch.labels));
    const Var graph = reduced(
        "graph_loss", ItemList{.values = cross_entropy(z, labels, {.reduction = Reduction::none})},
        batch);
    return cost + options_.weight * graph;
  }

 private:
  struct Linear {
    Linear(const Scope& scope, std::int64_t in, std::int64_t out, double lr_scale)
        : weight(scope.parameter("weight", {out, in},
                                 init::uniform(1 / std::sqrt(static_cast<double>(in))))),
          bias(scope.parameter("bias", {out},
                               init::uniform(1 / std::sqrt(static_cast<double>(in))))) {
      weight.lr_scale = bias.lr_scale = lr_scale;
    }
    Var operator()(const Var& x) const { return linear(x, x.leaf(weight), x.leaf(bias)); }
    Parameter& weight;
    Parameter& bias;
  };

  static Parameter& learnt(const Scope& scope, const char* name, const Shape& shape,
                           double lr_scale) {
    const double rows = static_cast<double>(std::max<std::int64_t>(shape[0], 1));
    Parameter& parameter = scope.parameter(name, shape, init::normal(std::sqrt(2 / rows)));
    parameter.lr_scale = lr_scale;
    return parameter;
  }

  /// M.   [n, classes]
  Var distances(const Var& x) const {
    const Var units = unit_rows(x), means = unit_rows(x.leaf(means_));
    const Var precision = exp(-clamp(x.leaf(log_vars_), 0, 6));
    const Var weighted = means * precision;
    const Var own = reshape(sum(weighted * means, 1), {1, classes_});
    const Var squares = matmul(square(units), precision, {.a = false, .b = true}) -
                        2.0 * matmul(units, weighted, {.a = false, .b = true});
    return clamp_min(squares + broadcast_to(own, squares.shape()), 0);
  }

  /// H over min(n, classes) places, the present classes first; empty places are columns of zeros.
  Var membership(const Var& far, const Labels& labels) const {
    const std::int64_t n = far.dim(0), places = std::min(n, classes_);
    Tensor column({places}, DType::i64), holds({n, places}, far.dtype()),
        own({n, places}, far.dtype());
    visit_float(far.dtype(), [&]<class T>() {
      for (std::int64_t p = 0; p < labels.distinct(); ++p) {
        const std::int64_t label = labels.present()[static_cast<std::size_t>(p)];
        column.raw<std::int64_t>()[p] = label;
        for (std::int64_t i = 0; i < n; ++i)
          (labels[i] == label ? own : holds).raw<T>()[i * places + p] = T(1);
      }
    });
    const Var others = exp(-options_.alpha * index_select(far, 1, column));
    return others * far.constant_like(holds) + far.constant_like(own);
  }

  /// The logits of the hypergraph net.   x [n, dim], h [n, places] -> [n, classes]
  Var propagated(const Var& x, const Var& h) const {
    // Every row has its own class, so that its degree is 1 or more; an empty place has 0.
    const Var rows = power(sum(h, 1, true), -0.5);
    const Var edges = power(clamp_min(sum(h, 0, true), 1e-12), -0.5);
    const Var scaled = h * matmul(rows, edges);
    const Var g = matmul(scaled, scaled, {.a = false, .b = true});
    const Var hidden = matmul(g, first_(x));
    const Var spread = power(variance(hidden, 0, false, true) + 1e-5, -0.5);
    const Var normal = centred(hidden, 0) * broadcast_to(spread, hidden.shape());
    const Var bent = leaky_relu(normal * broadcast_to(x.leaf(scale_), hidden.shape()) +
                                    broadcast_to(x.leaf(shift_), hidden.shape()),
                                0.1);
    return matmul(g, second_(bent));
  }

  Options options_;
  std::int64_t classes_;
  Parameter& means_;
  Parameter& log_vars_;
  Linear first_;
  Parameter& scale_;
  Parameter& shift_;
  Linear second_;
};

const Register<Loss, Hist> hist_loss{{
    .name = "hist",
    .summary = "classes as distributions, whose hypergraph classifies the images of a batch "
               "together",
    .paper = "Lim et al., Hypergraph-Induced Semantic Tuplet Loss for Deep Metric Learning, CVPR "
             "2022",
    .details =
        "the published code's alpha is 0.9; distributions learn at 1000 times the net's "
        "rate (1e-1 and 1e-4), the hypergraph net at 10 times. Use it where relations among the "
        "classes of a batch carry information, and classes are modelled as distributions.",
}};

}  // namespace
}  // namespace dml
