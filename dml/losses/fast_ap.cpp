#include "dml/losses/fast_ap.hpp"

#include <cmath>

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// 1 - AP, with precision and recall from soft histograms of the squared distances.
class FastAp final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"lp", {{"power", "2"}}}, "mean") {}
    std::int64_t num_bins = 10;
    static constexpr auto fields =
        with(field("num_bins", &Options::num_bins, "intervals of the histograms", {1, 10000}));
  };

  FastAp(const Options& options, const Setup&) : TupleLoss(options, "lp"), options_(options) {
    if (!distance().options().normalize)
      throw UsageError("needs distances in a known range\n  leave distance.normalize on");
  }
  Requirements requirements() const override { return {.images_per_class = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    refuse_reference(batch, "fast_ap");
    const Var& x = batch.embedding;
    const Tensor weights = sample_weights(x.device(), batch.tuples, batch.labels.size(), x.dtype());
    const double longest = std::pow(2.0, distance().options().power);
    const FastApRow row{.intervals = options_.num_bins,
                        .width = longest / static_cast<double>(options_.num_bins),
                        .bounds = reducer().bounds("loss")};
    const RowSums sums = row_loss(row, matrix(batch), relation_of(x.device(), batch.labels),
                                  {.parameter = x.constant_like(weights)});
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool fast_ap_added = add_row_loss<FastApRow>();

const Register<Loss, FastAp> fast_ap_loss{{
    .name = "fast_ap",
    .summary = "average precision by soft histograms of the distances",
    .paper = "Cakir et al., Deep Metric Learning to Rank, CVPR 2019",
    .details = "anchors without a positive are left out; tuples of a miner weight the anchors by "
               "how often they occur. Cost: num_bins passes over n^2 distances, n^2 memory. Use it "
               "with large batches when average precision is what is measured; cheap among the "
               "losses of rankings.",
}};

}  // namespace
}  // namespace dml
