#include "dml/losses/ranked_list.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool ranked_list_added = add_row_loss_cuda<RankedListRow>();
}  // namespace
}  // namespace dml
