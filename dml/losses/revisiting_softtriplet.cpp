#include <algorithm>
#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/class_margin.hpp"
#include "ops/matmul.hpp"
#include "ops/permute.hpp"
#include "ops/reshape.hpp"
#include "ops/softmax.hpp"
#include "ops/square_root.hpp"
#include "ops/sum.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// SoftTriple with its regulariser: cross-entropy of lambda (S_c - delta [c = y]) + reg_weight
/// sum_c sum_(k<l) sqrt(2.00001 - 2 w_ck w_cl) / (C K (K - 1)).
///   paper:     w unit centroids, S_c = sum_k softmax_k(s_ck / gamma) s_ck
///   published: w normalised over all centroids, one feature at a time, and
///              S_c = sum_k softmax_c(gamma s_ck) s_ck
class RevisitingSoftTriplet final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    Options() : ClassOptions({"dot", {{"normalize", "false"}}}) { decay_scale = 0; }
    std::int64_t n_centroids = 2;
    double margin_delta = 0.01;
    double gamma = 0.1;
    double lambda = 8;
    double reg_weight = 0.2;
    bool published = false;
    static constexpr auto fields = ClassOptions::with(
        field("n_centroids", &Options::n_centroids, "K: centroids of every class", {1, 10000}),
        field("margin_delta", &Options::margin_delta, "taken off the own similarity", {-2, 2}),
        field("gamma", &Options::gamma, "of the softmax: its temperature; published: its factor",
              {1e-6, 1e6}),
        field("lambda", &Options::lambda, "times the logits", {1e-6, 1e6}),
        field("reg_weight", &Options::reg_weight, "weight of the distances between centroids",
              {0, 1e6}),
        field("published", &Options::published,
              "the arithmetic of the published code, which normalises and weighs along other axes "
              "than the paper"));
  };

  RevisitingSoftTriplet(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "centroids",
                   .init = init::uniform(
                       1 / std::sqrt(static_cast<double>(setup.classes * options.n_centroids))),
                   .per_class = options.n_centroids,
                   .only_distance = "dot"}),
        options_(options) {}

  Var logits(const Var& x) override { return options_.lambda * relaxed(x, normalized(vectors(x))); }

 protected:
  Var classify(const Batch& batch) override {
    const Var w = normalized(vectors(batch.embedding));
    const Var s = relaxed(batch.embedding, w);
    const Var cost = reduced_cross_entropy(
        options_.lambda * own_shift(s, batch.labels.tensor(), -options_.margin_delta), batch);
    return per_class() < 2 ? cost : cost + options_.reg_weight * spread(w);
  }

 private:
  Var normalized(const Var& w) const {
    return options_.published ? transpose(unit_rows(transpose(w))) : unit_rows(w);
  }
  /// [n, classes]
  Var relaxed(const Var& x, const Var& w) const {
    const Var all = reshape(distance()(x, w), {x.dim(0), classes(), per_class()});
    const Var share =
        options_.published ? softmax(all, 1 / options_.gamma, 1) : softmax(all, options_.gamma, 2);
    return sum(share * all, 2);
  }
  Var spread(const Var& w) const {
    const std::int64_t c = classes(), k = per_class();
    const Var centers = reshape(w, {c, k, w.dim(1)});
    const Var products = matmul(centers, centers, {.a = false, .b = true});
    const Var apart = square_root(clamp_min(affine(products, -2, 2.00001), 0));
    Tensor upper({c, k, k}, w.dtype());
    visit_float(w.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < c * k * k; ++i)
        upper.raw<T>()[i] = i / k % k < i % k ? T(1) : T(0);
    });
    const auto pairs = static_cast<double>(c * k * (k - 1));
    return sum(apart * w.constant_like(upper)) / pairs;
  }

  Options options_;
};

const Register<Loss, RevisitingSoftTriplet> revisiting_softtriplet_loss{{
    .name = "revisiting_softtriplet",
    .summary = "SoftTriple with its regulariser as Revisiting-DML defines it",
    .paper = "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep "
             "Metric Learning, ICML 2020; Qian et al., SoftTriple Loss, ICCV 2019",
    .details = "embeddings are used as they come: the net normalises. Use it to repeat the study; "
               "soft_triple for new work.",
}};

}  // namespace
}  // namespace dml
