#include "ops/binary.cuh"
#include "ops/multiply.hpp"

namespace dml {
namespace {
const bool multiply_added = add_binary_cuda<Multiply>();
}  // namespace
}  // namespace dml
