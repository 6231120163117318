#include "ops/binary.cuh"
#include "ops/subtract.hpp"

namespace dml {
namespace {
const bool subtract_added = add_binary_cuda<Subtract>();
}  // namespace
}  // namespace dml
