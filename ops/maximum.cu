#include "ops/binary.cuh"
#include "ops/maximum.hpp"

namespace dml {
namespace {
const bool added = add_binary_cuda<Maximum>();
}  // namespace
}  // namespace dml
