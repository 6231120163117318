#include "dml/optimizers/fused.cuh"
#include "dml/optimizers/sgd.hpp"

namespace dml {
namespace {
const bool added = add_rule_cuda<SgdRule>();
}  // namespace
}  // namespace dml
