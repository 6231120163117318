#include "dml/losses/margin.hpp"

#include "dml/losses/triplets.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"
#include "ops/gather.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// [m(d_ap, b) + margin]+ + [m(b, d_an) + margin]+ over triplets, divided by the number of terms
/// above 0; b is one boundary, or one of the anchor's class, and may be learnt.
class Margin final : public TripletLoss {
 public:
  struct Options : TripletOptions {
    Options() : TripletOptions({"lp"}, "divisor") {}
    double margin = 0.2;
    double beta = 1.2;
    double nu = 0;
    bool learn_beta = false;
    bool num_classes = false;
    double lr_scale = 1;
    static constexpr auto fields =
        with(field("margin", &Options::margin, "half the width around the boundary", {-1e6, 1e6}),
             field("beta", &Options::beta, "the boundary, at first if it is learnt", {-1e6, 1e6}),
             field("nu", &Options::nu, "penalty on learnt boundaries", {0, 1e6}),
             field("learn_beta", &Options::learn_beta, "the boundary is a parameter"),
             field("num_classes", &Options::num_classes, "one boundary for each class"),
             field("lr_scale", &Options::lr_scale,
                   "times the learning rate, for the boundaries (published: 5e-4 beside a network "
                   "at 1e-5)",
                   {0, 1e9}));
  };

  Margin(const Options& options, const Setup& setup)
      : TripletLoss(options), options_(options), classes_(setup.classes) {
    if (options.num_classes && setup.classes <= 0)
      throw UsageError("one boundary for each class needs the number of classes");
    if (!options.learn_beta) return;
    beta_ = &setup.scope.parameter("beta", {options.num_classes ? setup.classes : 1},
                                   init::constant(options.beta));
    beta_->lr_scale = options.lr_scale;
    beta_->group = "loss";
  }

 protected:
  Var compute(const Batch& batch) override {
    const Tuples tuples = triplets(batch);
    const Var d = matrix(batch);
    const Var boundary = boundaries(batch, d);
    Items items, penalty;
    if (tuples.form == Tuples::Form::triplets) {
      of_list(d, boundary, tuples, batch, items, penalty);
    } else {
      const MarginRow row{.sign = distance().sign(),
                          .margin = options_.margin,
                          .nu = options_.nu,
                          .bounds = reducer().bounds("margin_loss"),
                          .penalty = reducer().bounds("beta_reg_loss"),
                          .range = tuples.filter.range};
      const RowSums sums =
          row_loss(row, d, tuples.relation, {.filter = tuples.filter, .parameter = boundary});
      items = sums.part(0);
      penalty = sums.part(2);
      items.divisor = penalty.divisor = sums.part(1).counts;
    }
    const Var loss = reduced("margin_loss", std::move(items), batch);
    return loss + penalty_of(std::move(penalty), batch, loss, boundary);
  }

 private:
  /// The boundary of every anchor.   [n]
  Var boundaries(const Batch& batch, const Var& d) {
    const std::int64_t n = d.dim(0);
    if (beta_ == nullptr) {
      Tensor same = Tensor::empty({n}, d.dtype());
      init::constant(options_.beta)(same, Random(0, Purpose::weights));
      return d.constant_like(same);
    }
    const Var beta = d.leaf(*beta_);
    if (!options_.num_classes) return repeat(beta, 0, n);
    for (const std::int64_t label : batch.labels.present())
      DML_CHECK(label >= 0 && label < classes_, "margin: label " + std::to_string(label) +
                                                    " is outside [0, " + std::to_string(classes_) +
                                                    "), the classes that have a boundary");
    return index_select(beta, 0, batch.labels.tensor());
  }

  /// The second sub-loss: nu b for one boundary, as it is; for each class over triplets, reduced.
  Var penalty_of(Items items, const Batch& batch, const Var& like, const Var& boundary) {
    if (beta_ != nullptr && options_.num_classes) {
      const Var value = reduced("beta_reg_loss", std::move(items), batch);
      note_items("beta_reg_loss", options_.nu * boundary);  // of every triplet of the anchor
      return value;
    }
    const Var value = beta_ == nullptr ? like * 0.0 : options_.nu * reshape(like.leaf(*beta_), {});
    note("beta_reg_loss", value);
    return value;
  }

  void of_list(const Var& d, const Var& boundary, const Tuples& list, const Batch& batch,
               Items& items, Items& penalty) {
    const Listed at = listed(d, list);
    const double sign = distance().sign();
    const Var b = index_select(boundary, 0, list.anchor);
    const Var near = relu(sign * (at.positive - b) + options_.margin);
    const Var far = relu(sign * (b - at.negative) + options_.margin);
    const auto summed = [&](const Var& values, Bounds bounds) {
      return sum_items(
          {.values = values, .weights = at.weights, .anchors = at.anchors, .labels = &batch.labels},
          bounds);
    };
    items = summed(near + far, reducer().bounds("margin_loss"));
    penalty = summed(options_.nu * b, reducer().bounds("beta_reg_loss"));
    // Both kinds of terms above 0, side by side: their sum divides.
    const Items active[] = {summed(near, {.low = 0}), summed(far, {.low = 0})};
    const std::int64_t n = d.dim(0);
    Tensor both = d.device().empty({2 * n}, DType::f64);
    for (std::int64_t k = 0; k < 2; ++k) {
      Tensor half = both.rows(k * n, (k + 1) * n);
      d.device().copy(active[k].counts, half);
    }
    items.divisor = penalty.divisor = both;
  }

  Options options_;
  std::int64_t classes_;
  Parameter* beta_ = nullptr;
};

const bool margin_added = add_row_loss<MarginRow>();

const Register<Loss, Margin> margin_loss{{
    .name = "margin",
    .summary = "positives within a boundary, negatives beyond it, by a margin; may be learnt",
    .paper = "Wu et al., Sampling Matters in Deep Embedding Learning, ICCV 2017",
    .details =
        "the paper learns the boundary and samples negatives by distance (miner "
        "distance_weighted). Cost: n^2; all triplets split into pairs. Use it with the miner "
        "distance_weighted as a strong default among triplets; learn beta with learn_beta.",
}};

}  // namespace
}  // namespace dml
