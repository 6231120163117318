#include "dml/losses/multiple_negatives_ranking.hpp"
#include "dml/losses/xbm_contrastive.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace {

const bool more_rows_added =
    add_row_loss_cuda<RankingRow>() && add_row_loss_cuda<XbmContrastiveRow>();

}  // namespace
}  // namespace dml
