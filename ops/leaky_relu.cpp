#include "ops/leaky_relu.hpp"

namespace dml {
namespace {
const bool leaky_relu_added = add_pointwise<LeakyRelu>();
}  // namespace
}  // namespace dml
