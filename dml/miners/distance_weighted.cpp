#include "dml/miners/distance_weighted.hpp"

#include <span>
#include <vector>

#include "dml/miner.hpp"
#include "dml/miners/kernels.hpp"
#include "dml/miners/row_rules.hpp"

namespace dml {
namespace {

/// Draws negatives so that their distances spread evenly.
class DistanceWeightedMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    double cutoff = 0.5;
    double nonzero_loss_cutoff = 1.4;
    static constexpr auto fields =
        with(field("cutoff", &Options::cutoff, "smaller distances count as this", {1e-6, 2}),
             field("nonzero_loss_cutoff", &Options::nonzero_loss_cutoff,
                   "negatives from this distance on are never drawn", {0, 10}));
  };

  DistanceWeightedMiner(const Options& options, const Setup&)
      : MatrixMiner(options), options_(options) {
    const DistanceOptions& d = distance().options();
    if (distance().similarity() || !d.normalize || d.p != 2 || d.power != 1)
      throw UsageError(
          "needs the L2 distance of normalised embeddings\n  distance = lp, p = 2, "
          "power = 1, normalize on");
  }

  Tuples operator()(Device& device, const Batch& batch) const override {
    const auto [anchors, positives] = draw_positives(batch);
    const Tensor probabilities = negative_probabilities(
        device, matrix(device, batch), relation(device, batch), batch.embedding.dim(1),
        options_.cutoff, options_.nonzero_loss_cutoff);
    const Shape shape{static_cast<std::int64_t>(anchors.size())};
    const auto upload = [&](const std::vector<std::int64_t>& of) {
      return device.upload(Tensor::of<std::int64_t>(shape, std::span<const std::int64_t>(of)));
    };
    Tuples list;
    list.form = Tuples::Form::triplets;
    for (Tensor* const member : {&list.anchor, &list.positive, &list.negative})
      *member = device.empty(shape, DType::i64);
    list.count = device.empty({}, DType::i64);
    kernel::draw_negatives(
        device, probabilities,
        {.anchor = upload(anchors), .positive = upload(positives), .random = batch.random.split(0)},
        list);
    return list;
  }

 private:
  /// As many entries for every anchor with a positive as its class has samples, each with a random
  /// positive.
  static std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> draw_positives(
      const Batch& batch) {
    const Labels& others = batch.others() == nullptr ? batch.labels : *batch.others();
    std::vector<std::int64_t> anchors, positives;
    const Random random = batch.random.split(1);
    for (std::int64_t i = 0; i < batch.labels.size(); ++i) {
      std::vector<std::int64_t> own;
      std::int64_t size = 0;
      for (std::int64_t j = 0; j < others.size(); ++j) {
        if (others[j] != batch.labels[i]) continue;
        ++size;
        if (batch.reference.defined() || i != j) own.push_back(j);
      }
      RandomSequence draws(random.split(static_cast<std::uint64_t>(i)));
      for (std::int64_t k = 0; k < size && !own.empty(); ++k) {
        anchors.push_back(i);
        positives.push_back(own[draws.below(own.size())]);
      }
    }
    return {anchors, positives};
  }

  Options options_;
};

const bool distance_weighted_added = add_row_miner<DistanceWeightedRule>();

const Register<Miner, DistanceWeightedMiner> distance_weighted_miner{{
    .name = "distance_weighted",
    .summary = "random negatives, drawn so that their distances spread evenly",
    .paper = "Wu et al., Sampling Matters in Deep Embedding Learning, ICCV 2017",
    .details = "as many triplets for every anchor as its class has samples in the batch, drawn "
               "with replacement. The largest log weight of every row is subtracted, so no row "
               "underflows. Cost: n^2.",
    .aliases = {"sampling_matters"},
}};

}  // namespace

Tensor negative_probabilities(Device& device, const Tensor& distances, const Tensor& relation,
                              std::int64_t dim, double cutoff, double nonzero_loss_cutoff) {
  return mine_rows(device,
                   DistanceWeightedRule{.dim = static_cast<double>(dim),
                                        .cutoff = cutoff,
                                        .nonzero_loss_cutoff = nonzero_loss_cutoff},
                   distances, relation);
}

}  // namespace dml
