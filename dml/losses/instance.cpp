#include <algorithm>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"

namespace dml {
namespace {

/// Cross-entropy of row i of gamma cos(X, X), the sample itself included, where the target is the
/// rank of the label of i among the labels of the batch, used as the number of a column.
class Instance final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine", {}}, "mean") {}
    double gamma = 64;
    static constexpr auto fields =
        TupleOptions::with(field("gamma", &Options::gamma, "times the cosines", {1e-6, 1e6}));
  };

  Instance(Options options, const Setup&) : TupleLoss(options, "cosine"), gamma_(options.gamma) {}

 protected:
  Var compute(const Batch& batch) override {
    refuse_tuples(batch, "instance");
    refuse_reference(batch, "instance");
    const std::vector<std::int64_t>& present = batch.labels.present();
    std::vector<std::int64_t> rank;
    for (const std::int64_t label : batch.labels.of())
      rank.push_back(std::lower_bound(present.begin(), present.end(), label) - present.begin());
    const Var cost =
        cross_entropy(gamma_ * matrix(batch), Tensor::of<std::int64_t>({batch.labels.size()}, rank),
                      {.reduction = Reduction::none});
    return reduced("loss", ItemList{.values = cost}, batch);
  }

 private:
  double gamma_;
};

const Register<Loss, Instance> instance_loss{{
    .name = "instance",
    .summary = "kept for comparison with pytorch-metric-learning; not recommended",
    .paper = "Zheng et al., Dual-Path Convolutional Image-Text Embeddings with Instance Loss, ACM "
             "TOMM 2020",
    .details = "not the paper's loss, which trains a classifier with one class for every image. It "
               "means something only when sample r carries the r-th smallest label; otherwise its "
               "value depends on the order of the batch. Use it to compare with "
               "pytorch-metric-learning alone.",
}};

}  // namespace
}  // namespace dml
