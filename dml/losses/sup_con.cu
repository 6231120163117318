#include "dml/losses/sup_con.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool added = add_row_loss_cuda<SupConRow>();
}  // namespace
}  // namespace dml
