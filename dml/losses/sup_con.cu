#include "dml/losses/sup_con.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool sup_con_added = add_row_loss_cuda<SupConRow>();
}  // namespace
}  // namespace dml
