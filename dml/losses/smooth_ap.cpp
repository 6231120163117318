#include "dml/losses/smooth_ap.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// 1 - mean over a query's class of (soft rank in the class) / (soft rank among all).
class SmoothAp final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double temperature = 0.01;
    static constexpr auto fields =
        with(field("temperature", &Options::temperature,
                   "width of the logistic step that stands for a comparison", {1e-6, 1e6}));
  };

  SmoothAp(const Options& options, const Setup&)
      : TupleLoss(options, "cosine"), options_(options) {}
  Requirements requirements() const override { return {.images_per_class = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    refuse_tuples(batch, "smooth_ap");
    refuse_reference(batch, "smooth_ap");
    const RowSums sums = row_loss(
        SmoothApRow{.temperature = options_.temperature, .bounds = reducer().bounds("loss")},
        matrix(batch), relation_of(batch.embedding.device(), batch.labels, &batch.labels));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool smooth_ap_added = add_row_loss<SmoothApRow>();

const Register<Loss, SmoothAp> smooth_ap_loss{{
    .name = "smooth_ap",
    .summary = "average precision of every query, with a logistic step for every comparison",
    .paper = "Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, "
             "ECCV 2020",
    .details = "any labels, classes of any size; the query is its own first positive, as in the "
               "authors' code; queries without another positive are left out. Cost: n for every "
               "positive pair, n^2 memory. Use it when average precision is what is measured, with "
               "large batches of several images a class.",
}};

}  // namespace
}  // namespace dml
