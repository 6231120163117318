#include "ops/pointwise.cuh"
#include "ops/power.hpp"

namespace dml {
namespace {
const bool power_added = add_pointwise_cuda<Power>();
}  // namespace
}  // namespace dml
