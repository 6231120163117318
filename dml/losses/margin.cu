#include "dml/losses/margin.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool margin_added = add_row_loss_cuda<MarginRow>();
}  // namespace
}  // namespace dml
