#include "ops/pointwise.cuh"
#include "ops/sigmoid.hpp"

namespace dml {
namespace {
const bool sigmoid_added = add_pointwise_cuda<Sigmoid>();
}  // namespace
}  // namespace dml
