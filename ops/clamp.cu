#include "ops/clamp.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool added = add_pointwise_cuda<Clamp>();
}  // namespace
}  // namespace dml
