#include "dml/miner.hpp"
#include "dml/miners/kernels.hpp"

namespace dml {
namespace {

/// As many random pairs from every interval of the distances.
class UniformHistogramMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    std::int64_t num_bins = 100;
    std::int64_t pos_per_bin = 10;
    std::int64_t neg_per_bin = 10;
    static constexpr auto fields = with(
        field("num_bins", &Options::num_bins,
              "equal intervals from the smallest to the largest "
              "distance, of positive and of negative pairs",
              {1, 1e6}),
        field("pos_per_bin", &Options::pos_per_bin, "positive pairs from each interval", {0, 1e6}),
        field("neg_per_bin", &Options::neg_per_bin, "negative pairs from each interval", {0, 1e6}));
  };

  UniformHistogramMiner(const Options& options, const Setup&)
      : MatrixMiner(options), options_(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    const Tensor distances = device.dense(matrix(device, batch));
    Tuples tuples;
    tuples.relation = device.empty(distances.shape(), DType::f32);
    kernel::draw_from_bins(device, distances,
                           {.relation = relation(device, batch),
                            .bins = options_.num_bins,
                            .positives = options_.pos_per_bin,
                            .negatives = options_.neg_per_bin,
                            .random = batch.random},
                           tuples.relation);
    return tuples;
  }

 private:
  Options options_;
};

const Register<Miner, UniformHistogramMiner> uniform_histogram_miner{{
    .name = "uniform_histogram",
    .summary = "as many random pairs from every interval of the distances",
    .details = "with replacement; intervals without a pair give none. Cost: n^2.",
}};

}  // namespace
}  // namespace dml
