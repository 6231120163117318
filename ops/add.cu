#include "ops/add.hpp"
#include "ops/binary.cuh"

namespace dml {
namespace {
const bool add_added = add_binary_cuda<Add>();
}  // namespace
}  // namespace dml
