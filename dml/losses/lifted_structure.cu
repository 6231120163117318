#include "dml/losses/lifted_structure.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool lifted_structure_added = add_row_loss_cuda<NegativeLogSum>() &&
                                    add_row_loss_cuda<LiftedRow>() &&
                                    add_row_loss_cuda<GeneralizedLiftedRow>();
}  // namespace
}  // namespace dml
