#include "dml/losses/nt_xent.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool nt_xent_added = add_row_loss_cuda<NtXentRow>();
}  // namespace
}  // namespace dml
