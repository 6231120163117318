#include "dml/losses/multi_similarity.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool multi_similarity_added = add_row_loss_cuda<MultiSimilarityRow>();
}  // namespace
}  // namespace dml
