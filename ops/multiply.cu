#include "ops/binary.cuh"
#include "ops/multiply.hpp"

namespace dml {
namespace {
const bool added = add_binary_cuda<Multiply>();
}  // namespace
}  // namespace dml
