#include "ops/leaky_relu.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<LeakyRelu>();
}  // namespace
}  // namespace dml
