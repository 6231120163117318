#include "ops/pointwise.cuh"
#include "ops/softplus.hpp"

namespace dml {
namespace {
const bool softplus_added = add_pointwise_cuda<Softplus>();
}  // namespace
}  // namespace dml
