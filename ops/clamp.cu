#include "ops/clamp.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool clamp_added = add_pointwise_cuda<Clamp>();
}  // namespace
}  // namespace dml
