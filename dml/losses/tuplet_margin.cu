#include "dml/losses/tuplet_margin.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool tuplet_margin_added = add_row_loss_cuda<TupletMarginRow>();
}  // namespace
}  // namespace dml
