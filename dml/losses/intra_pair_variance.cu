#include "dml/losses/intra_pair_variance.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {
const bool intra_pair_variance_added =
    add_row_loss_cuda<PairValuesRow>() && add_row_loss_cuda<PairVarianceRow>();
}  // namespace
}  // namespace dml
