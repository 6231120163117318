#include "dml/optimizers/adam.hpp"
#include "dml/optimizers/fused.cuh"

namespace dml {
namespace {
const bool adam_added = add_rule_cuda<AdamRule<false>>() && add_rule_cuda<AdamRule<true>>();
}  // namespace
}  // namespace dml
