#include "ops/pointwise.cuh"
#include "ops/smooth_l1.hpp"

namespace dml {
namespace {
const bool smooth_l1_added = add_pointwise_cuda<SmoothL1>();
}  // namespace
}  // namespace dml
