#include "ops/hyperbolic.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool hyperbolic_added = add_pointwise_cuda<Artanh>();
}  // namespace
}  // namespace dml
