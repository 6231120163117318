// The criteria of Revisiting-DML on triplets, with the miners of that paper.
#include "dml/revisiting/mined_loss.hpp"
#include "dml/revisiting/paper.hpp"
#include "ops/arithmetic.hpp"
#include "ops/categorical.hpp"
#include "ops/gather.hpp"
#include "ops/repeat.hpp"

namespace dml::revisiting {
namespace {

class Contrastive final : public MinedLoss {
 public:
  struct Options : MinedOptions {
    double pos_margin = 0;
    double neg_margin = 1;
    static constexpr auto fields = with(field("pos_margin", &Options::pos_margin,
                                              "positives nearer than this cost nothing", {0, 10}),
                                        field("neg_margin", &Options::neg_margin,
                                              "negatives further than this cost nothing", {0, 10}));
  };
  // Semihard mining wants one margin; the published option of that name does not exist.
  Contrastive(const Options& options, const Setup&)
      : MinedLoss(options, options.neg_margin), options_(options) {}
  Var operator()(const Batch& batch) override {
    return contrastive(batch.embedding, triplets(batch), options_.pos_margin, options_.neg_margin);
  }

 private:
  Options options_;
};

class Triplet final : public MinedLoss {
 public:
  struct Options : MinedOptions {
    double margin = 0.2;
    static constexpr auto fields =
        with(field("margin", &Options::margin, "of squared distances", {0, 10}));
  };
  Triplet(const Options& options, const Setup&)
      : MinedLoss(options, options.margin), margin_(options.margin) {}
  Var operator()(const Batch& batch) override {
    return triplet(batch.embedding, triplets(batch), margin_);
  }

 private:
  double margin_;
};

class Margin final : public MinedLoss {
 public:
  struct Options : MinedOptions {
    double margin = 0.2;
    double beta = 1.2;
    bool beta_constant = false;
    double beta_lr_scale = 50;
    double nu = 0;
    static constexpr auto fields = with(
        field("margin", &Options::margin, "distance from the boundary", {0, 10}),
        field("beta", &Options::beta, "boundary between near and far, at first", {0, 10}),
        field("beta_constant", &Options::beta_constant,
              "one boundary that is not learnt; else one for each class"),
        field("beta_lr_scale", &Options::beta_lr_scale,
              "rate of the boundaries, in learning rates (published: 5e-4 beside 1e-5)", {0, 1e9}),
        field("nu", &Options::nu, "weight of the sum of boundaries over the triplets", {0, 1e6}));
  };
  Margin(const Options& options, const Setup& setup)
      : MinedLoss(options, options.margin), options_(options) {
    if (options.beta_constant) return;
    beta_ = &setup.scope.parameter("beta", {setup.classes}, init::constant(options.beta));
    beta_->lr_scale = options.beta_lr_scale;
    beta_->decay_scale = 0;
  }
  Var operator()(const Batch& batch) override {
    const Triplets chosen = triplets(batch);
    const Var& v = batch.embedding;
    Var of_triplet = v.constant_like(Tensor(chosen.anchor.shape(), v.dtype())) + options_.beta;
    if (beta_ != nullptr)
      of_triplet =
          index_select(index_select(v.leaf(*beta_), 0, batch.labels.tensor()), 0, chosen.anchor);
    return margin(v, chosen, of_triplet, {.margin = options_.margin, .nu = options_.nu});
  }

 private:
  Options options_;
  Parameter* beta_ = nullptr;
};

class Quadruplet final : public MinedLoss {
 public:
  struct Options : MinedOptions {
    double margin_1 = 0.2;
    double margin_2 = 0.2;
    bool paper = false;
    static constexpr auto fields =
        with(field("margin_1", &Options::margin_1, "of the triplets", {0, 10}),
             field("margin_2", &Options::margin_2, "of the quadruplets", {0, 10}),
             field("paper", &Options::paper,
                   "the fourth image is of a third class, and each triplet has its own; the "
                   "published code compares all triplets with all fourth images"));
  };
  Quadruplet(const Options& options, const Setup&)
      : MinedLoss(options, options.margin_1), options_(options) {}
  Var operator()(const Batch& batch) override {
    const Triplets chosen = triplets(batch);
    const Var& v = batch.embedding;
    const Tensor candidates = fourth_candidates(v, chosen, batch.labels, options_.paper);
    const Drawn fourth = categorical(v.device(), candidates, batch.random.split(20));
    // In the published form positions of triplets stand for rows of the batch.
    return quadruplet(v, chosen, fourth.place, options_.margin_1, options_.margin_2,
                      options_.paper);
  }

 private:
  Options options_;
};

class Snr final : public MinedLoss {
 public:
  struct Options : MinedOptions {
    double margin = 0.2;
    double reg_lambda = 0.005;
    static constexpr auto fields =
        with(field("margin", &Options::margin, "of the ratios", {0, 10}),
             field("reg_lambda", &Options::reg_lambda,
                   "weight of the mean of |sum of features|; 0 with distance mining, as published",
                   {0, 1e6}));
  };
  Snr(const Options& options, const Setup&)
      : MinedLoss(options, options.margin), options_(options) {
    if (options.miner == "distance" || options.miner == "random_distance") options_.reg_lambda = 0;
  }
  Var operator()(const Batch& batch) override {
    return snr(batch.embedding, triplets(batch), options_.margin, options_.reg_lambda);
  }

 private:
  Options options_;
};

const Register<Loss, Contrastive> contrastive_loss{{
    .name = "revisiting_contrastive",
    .summary = "contrastive loss on mined triplets, as in Revisiting-DML",
    .paper = paper,
    .details = "mean over all triplets, inactive ones too; 1e-6 is added to every component of a "
               "difference. Learning rate 1e-5, embeddings of unit length. Use it to repeat the "
               "study; contrastive for new work.",
}};
const Register<Loss, Triplet> triplet_loss{{
    .name = "revisiting_triplet",
    .summary = "triplet loss on squared distances of mined triplets, as in Revisiting-DML",
    .paper = paper,
    .details = "mean over all triplets, inactive ones too. Learning rate 1e-5. Use it to repeat "
               "the study; triplet_margin for new work.",
}};
const Register<Loss, Margin> margin_loss{{
    .name = "revisiting_margin",
    .summary = "margin loss with learnt boundaries on mined triplets, as in Revisiting-DML",
    .paper = paper,
    .details =
        "divided by the number of triplets with an active term; one with two counts once. "
        "Learning rate 1e-5, boundaries 5e-4. Use it to repeat the study; margin for new work.",
}};
const Register<Loss, Quadruplet> quadruplet_loss{{
    .name = "revisiting_quadruplet",
    .summary = "quadruplet loss on mined triplets, as in Revisiting-DML",
    .paper = paper,
    .details = "the published code compares every triplet with every fourth image; `paper` does "
               "as Chen et al., CVPR 2017. Learning rate 1e-5. Use it where triplets leave classes "
               "too close to each other: the second term pushes other classes apart.",
    .aliases = {"quadruplet"},
}};
const Register<Loss, Snr> snr_loss{{
    .name = "revisiting_snr",
    .summary = "signal-to-noise ratios of mined triplets, as in Revisiting-DML",
    .paper = paper,
    .details = "mean over active triplets. Learning rate 1e-5. Use it to repeat the study; "
               "snr_triplet and snr_contrastive for new work.",
}};

}  // namespace
}  // namespace dml::revisiting
