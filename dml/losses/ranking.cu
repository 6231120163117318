#include "dml/losses/fast_ap.hpp"
#include "dml/losses/pnp.hpp"
#include "dml/losses/smooth_ap.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {

const bool ranking_added = add_row_loss_cuda<FastApRow>() && add_row_loss_cuda<SmoothApRow>() &&
                           add_row_loss_cuda<PnpRow>();

}  // namespace
}  // namespace dml
