#include "ops/pointwise.cuh"
#include "ops/relu.hpp"

namespace dml {
namespace {
const bool relu_added = add_pointwise_cuda<Relu>();
}  // namespace
}  // namespace dml
