#include "dml/losses/circle.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool circle_added = add_row_loss_cuda<CircleRow>();
}  // namespace
}  // namespace dml
