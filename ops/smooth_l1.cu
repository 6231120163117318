#include "ops/pointwise.cuh"
#include "ops/smooth_l1.hpp"

namespace dml {
namespace {
const bool added = add_pointwise_cuda<SmoothL1>();
}  // namespace
}  // namespace dml
