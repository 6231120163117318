#include <cmath>

#include "dml/miner.hpp"
#include "ops/euclidean.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// Triplets whose negative sees the pair under a wide angle. They are not listed: the loss asks the
/// rule.
class AngularMiner final : public Miner {
 public:
  struct Options {
    double angle = 20;
    static constexpr std::tuple fields{
        field("angle", &Options::angle, "degrees; triplets with a larger angle are kept", {0, 89}),
    };
  };

  AngularMiner(const Options& options, const Setup&) : options_(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    const bool same = batch.others() == nullptr;
    const auto tape = Tape::infer(device);
    const Var x = tape->input(batch.embedding);
    const Var r = same ? x : tape->input(batch.reference);
    const double slope = std::tan(options_.angle * std::acos(-1.0) / 180);
    Tuples tuples;
    tuples.form = Tuples::Form::product;
    tuples.relation = relation_of(device, batch.labels, batch.others());
    TripletFilter& filter = tuples.filter;
    filter.matrix = (same ? euclidean(x, 2) : euclidean(x, r, 2)).value();
    filter.between = same ? filter.matrix : euclidean(r, 2).value();
    filter.anchor_sums = sum(x, -1).value();
    filter.reference_sums = same ? filter.anchor_sums : sum(r, -1).value();
    filter.range.angle = {.bound = 4 * slope * slope, .dim = static_cast<double>(x.dim(1))};
    return tuples;
  }

 private:
  Options options_;
};

const Register<Miner, AngularMiner> angular_miner{{
    .name = "angular",
    .summary = "triplets whose negative sees the anchor and the positive under a wide angle",
    .paper = "Wang et al., Deep Metric Learning with Angular Loss, ICCV 2017",
    .details = "on raw embeddings. No triplet is listed. Cost: n^2 here, one comparison for each "
               "triplet in the loss.",
}};

}  // namespace
}  // namespace dml
