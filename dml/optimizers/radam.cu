#include "dml/optimizers/fused.cuh"
#include "dml/optimizers/radam.hpp"

namespace dml {
namespace {
const bool radam_added = add_rule_cuda<RAdamRule>();
}  // namespace
}  // namespace dml
