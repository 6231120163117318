#include "dml/losses/multi_similarity.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool added = add_row_loss_cuda<MultiSimilarityRow>();
}  // namespace
}  // namespace dml
