#include "dml/optimizers/fused.cuh"
#include "dml/optimizers/sgd.hpp"

namespace dml {
namespace {
const bool sgd_added = add_rule_cuda<SgdRule>();
}  // namespace
}  // namespace dml
