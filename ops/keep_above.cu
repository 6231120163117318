#include "ops/keep_above.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool keep_above_added = add_pointwise_cuda<KeepAbove>();
}  // namespace
}  // namespace dml
