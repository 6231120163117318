#include "dml/losses/threshold_consistent_margin.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool threshold_consistent_margin_added = add_row_loss_cuda<ThresholdConsistentRow>();
}  // namespace
}  // namespace dml
