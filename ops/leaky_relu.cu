#include "ops/leaky_relu.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool leaky_relu_added = add_pointwise_cuda<LeakyRelu>();
}  // namespace
}  // namespace dml
