#include "ops/pointwise.cuh"
#include "ops/tanh.hpp"

namespace dml {
namespace {
const bool tanh_added = add_pointwise_cuda<Tanh>();
}  // namespace
}  // namespace dml
