#include "dml/losses/swapped_triplets.hpp"
#include "dml/pairs/coupled_rows.cuh"

namespace dml {
namespace {
const bool triplet_margin_added =
    add_row_loss_cuda<TripletRow>() && add_coupled_rows_cuda<SwappedTriplets>();
}  // namespace
}  // namespace dml
