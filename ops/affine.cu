#include "ops/affine.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool affine_added = add_pointwise_cuda<Affine>();
}  // namespace
}  // namespace dml
