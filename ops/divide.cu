#include "ops/binary.cuh"
#include "ops/divide.hpp"

namespace dml {
namespace {
const bool divide_added = add_binary_cuda<Divide>();
}  // namespace
}  // namespace dml
