#include "ops/log.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool log_added = add_pointwise_cuda<Log>();
}  // namespace
}  // namespace dml
