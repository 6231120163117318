#include "dml/miner.hpp"
#include "dml/miners/row_rules.hpp"

namespace dml {
namespace {

/// Pairs that are hard in relation to the hardest one of the other side.
class MultiSimilarityMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    Options() : MatrixMinerOptions(Nested{"cosine"}) {}
    double epsilon = 0.1;
    static constexpr auto fields = with(
        field("epsilon", &Options::epsilon, "how much easier a kept pair may be", {-1e6, 1e6}));
  };

  MultiSimilarityMiner(const Options& options, const Setup&)
      : MatrixMiner(options), rule_{.sign = distance().sign(), .epsilon = options.epsilon} {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    Tuples tuples;
    tuples.relation = mine_rows(device, rule_, matrix(device, batch), relation(device, batch));
    return tuples;
  }

 private:
  MultiSimilarityRule rule_;
};

const bool multi_similarity_miner_added = add_row_miner<MultiSimilarityRule>();

const Register<Miner, MultiSimilarityMiner> multi_similarity_miner{{
    .name = "multi_similarity",
    .summary = "positives harder than the hardest negative less epsilon, and the reverse",
    .paper = "Wang et al., Multi-Similarity Loss with General Pair Weighting, CVPR 2019",
    .details = "keeps positives with s - epsilon < hardest negative of the anchor and negatives "
               "with s + epsilon > hardest positive; anchors that lack a side give nothing. Cost: "
               "n^2.",
    .aliases = {"ms"},
}};

}  // namespace
}  // namespace dml
