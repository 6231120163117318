#include "ops/barrier.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool barrier_added = add_pointwise_cuda<Barrier>();
}  // namespace
}  // namespace dml
