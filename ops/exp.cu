#include "ops/exp.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool added = add_pointwise_cuda<Exp>();
}  // namespace
}  // namespace dml
