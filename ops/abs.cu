#include "ops/abs.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool abs_added = add_pointwise_cuda<Abs>();
}  // namespace
}  // namespace dml
