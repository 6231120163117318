#include "ops/pointwise.cuh"
#include "ops/square_root.hpp"

namespace dml {
namespace {
const bool square_root_added = add_pointwise_cuda<SquareRoot>();
}  // namespace
}  // namespace dml
