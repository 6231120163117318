#include "dml/optimizers/fused.cuh"
#include "dml/optimizers/rmsprop.hpp"

namespace dml {
namespace {
const bool rmsprop_added = add_rule_cuda<RmsPropRule>();
}  // namespace
}  // namespace dml
