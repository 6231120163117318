#include "dml/miner.hpp"
#include "dml/miners/kernels.hpp"

namespace dml {
namespace {

/// The furthest positive pairs and the nearest negative pairs of the batch, a share of each.
class HdcMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    double filter_percentage = 0.5;
    static constexpr auto fields = with(field("filter_percentage", &Options::filter_percentage,
                                              "which share of each side is kept", {0, 1}));
  };

  HdcMiner(const Options& options, const Setup&) : MatrixMiner(options), options_(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    const Tensor distances = device.dense(matrix(device, batch));
    Tuples tuples;
    tuples.relation = device.empty(distances.shape(), DType::f32);
    kernel::extreme_pairs(device, distances,
                          {.relation = relation(device, batch),
                           .sign = distance().sign(),
                           .share = options_.filter_percentage},
                          tuples.relation);
    return tuples;
  }

 private:
  Options options_;
};

const Register<Miner, HdcMiner> hdc_miner{{
    .name = "hdc",
    .summary = "a share of the batch: the furthest positive and the nearest negative pairs",
    .paper = "Yuan et al., Hard-Aware Deeply Cascaded Embedding, ICCV 2017",
    .details = "ceil(share * number) pairs of each side over the whole batch. Cost: a selection "
               "among n^2.",
}};

}  // namespace
}  // namespace dml
