#include <numeric>
#include <vector>

#include "dml/losses/common.hpp"
#include "ops/slice.hpp"

namespace dml {
namespace {

/// Two views of the same images: row i of both is a class of its own.
class SelfSupervised final : public Loss {
 public:
  struct Options {
    Nested inner{"nt_xent"};
    bool symmetric = true;
    static constexpr std::tuple fields{
        nested<Loss>("inner", &Options::inner, "the loss that sees the views"),
        field("symmetric", &Options::symmetric,
              "both views are anchors, stacked; off: anchors from the first view, positives and "
              "negatives from the second"),
    };
  };

  SelfSupervised(const Options& options, const Setup& setup) : symmetric_(options.symmetric) {
    Setup own = setup;
    own.scope = setup.scope / "inner";
    inner_ = make_nested<Loss>(options.inner, own);
    if (!inner_) throw UsageError("needs an inner loss\n  inner=nt_xent");
  }

  Var operator()(const Batch& batch) override {
    const Var &x = batch.embedding, &other = batch.reference;
    if (!other.defined() || other.shape() != x.shape())
      throw UsageError("needs two views of the batch, " + to_string(x.shape()) + " both; found " +
                       (other.defined() ? to_string(other.shape()) : "one view"));
    std::vector<std::int64_t> rows(static_cast<std::size_t>(x.dim(0)));
    std::iota(rows.begin(), rows.end(), 0);
    const Labels single(rows);
    if (!symmetric_) {
      Batch pairs{.embedding = x,
                  .features = x,
                  .labels = single,
                  .reference = other,
                  .reference_labels = &single};
      return run(batch, pairs);
    }
    rows.insert(rows.end(), single.of().begin(), single.of().end());
    const Labels twice(rows);
    const Var both = concat({x, other}, 0);
    Batch stacked{.embedding = both, .features = both, .labels = twice};
    return run(batch, stacked);
  }

 private:
  Var run(const Batch& batch, Batch& views) {
    views.tuples = batch.tuples;
    views.samples = batch.samples;
    views.epoch = batch.epoch;
    views.step = batch.step;
    views.random = batch.random;
    const Var loss = (*inner_)(views);
    note("inner", loss);
    return loss;
  }

  bool symmetric_;
  std::unique_ptr<Loss> inner_;
};

const Register<Loss, SelfSupervised> self_supervised_loss{{
    .name = "self_supervised",
    .summary = "a loss on two views of the same images, without labels",
    .details = "the label of a row is its number in the batch. Use it when there are no labels: "
               "two views of an image are its class.",
}};

}  // namespace
}  // namespace dml
