#include "dml/miner.hpp"

namespace dml {

MatrixMiner::MatrixMiner(const MatrixMinerOptions& options)
    : distance_(make_nested<Distance>(options.distance, {})) {
  if (!distance_) throw UsageError("needs a distance\n  lp, cosine, dot or snr");
}

Tensor MatrixMiner::matrix(Device& device, const Batch& batch) const {
  const auto tape = Tape::infer(device);
  const Var x = tape->input(batch.embedding);
  return (batch.reference.defined() ? distance()(x, tape->input(batch.reference)) : distance()(x))
      .value();
}

Tensor MatrixMiner::relation(Device& device, const Batch& batch) {
  if (batch.candidates != nullptr)
    return pair_relation(device, *batch.candidates, batch.labels.size(), batch.columns());
  return relation_of(device, batch.labels, batch.others());
}

}  // namespace dml
