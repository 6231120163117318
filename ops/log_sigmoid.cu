#include "ops/log_sigmoid.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool log_sigmoid_added = add_pointwise_cuda<LogSigmoid>();
}  // namespace
}  // namespace dml
