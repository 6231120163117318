#include "dml/miner.hpp"
#include "dml/miners/row_rules.hpp"

namespace dml {
namespace {

/// Positives beyond a distance, negatives within one.
class PairMarginMiner final : public MatrixMiner {
 public:
  struct Options : MatrixMinerOptions {
    double pos_margin = 0.2;
    double neg_margin = 0.8;
    static constexpr auto fields =
        with(field("pos_margin", &Options::pos_margin,
                   "positives further than this are kept (similarity: less similar)", {-1e6, 1e6}),
             field("neg_margin", &Options::neg_margin,
                   "negatives nearer than this are kept (similarity: more similar)", {-1e6, 1e6}));
  };

  PairMarginMiner(const Options& options, const Setup&)
      : MatrixMiner(options),
        rule_{.sign = distance().sign(),
              .pos_margin = options.pos_margin,
              .neg_margin = options.neg_margin} {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    Tuples tuples;
    tuples.relation = mine_rows(device, rule_, matrix(device, batch), relation(device, batch));
    return tuples;
  }

 private:
  PairMarginRule rule_;
};

const bool pair_margin_added = add_row_miner<PairMarginRule>();

const Register<Miner, PairMarginMiner> pair_margin_miner{{
    .name = "pair_margin",
    .summary = "positives beyond a distance, negatives within one",
    .details = "strict; for a similarity both comparisons are reversed. Cost: n^2.",
}};

}  // namespace
}  // namespace dml
