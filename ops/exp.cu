#include "ops/exp.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool exp_added = add_pointwise_cuda<Exp>();
}  // namespace
}  // namespace dml
