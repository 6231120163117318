#include "ops/pointwise.cuh"
#include "ops/positive.hpp"

namespace dml {
namespace {
const bool positive_added = add_pointwise_cuda<Positive>();
}  // namespace
}  // namespace dml
