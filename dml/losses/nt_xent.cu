#include "dml/losses/nt_xent.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool added = add_row_loss_cuda<NtXentRow>();
}  // namespace
}  // namespace dml
