#include "dml/losses/contrastive.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool contrastive_added = add_row_loss_cuda<ContrastiveRow>();
}  // namespace
}  // namespace dml
