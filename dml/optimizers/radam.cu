#include "dml/optimizers/fused.cuh"
#include "dml/optimizers/radam.hpp"

namespace dml {
namespace {
const bool added = add_rule_cuda<RAdamRule>();
}  // namespace
}  // namespace dml
