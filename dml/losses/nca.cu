#include "dml/losses/nca.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool nca_added = add_row_loss_cuda<NcaRow>();
}  // namespace
}  // namespace dml
