#include "ops/binary.cuh"
#include "ops/maximum.hpp"

namespace dml {
namespace {
const bool maximum_added = add_binary_cuda<Maximum>();
}  // namespace
}  // namespace dml
