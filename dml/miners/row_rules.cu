#include "dml/miners/row_miner.cuh"
#include "dml/miners/row_rules.hpp"

namespace dml {
namespace {

const bool row_rules_added =
    add_row_miner_cuda<PairMarginRule>() && add_row_miner_cuda<MultiSimilarityRule>() &&
    add_row_miner_cuda<EasyHardRule>() && add_row_miner_cuda<DistanceWeightedRule>();

}  // namespace
}  // namespace dml
