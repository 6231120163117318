#include "ops/hyperbolic.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool added = add_pointwise_cuda<Artanh>();
}  // namespace
}  // namespace dml
