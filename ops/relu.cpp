#include "ops/relu.hpp"

namespace dml {
namespace {
const bool relu_added = add_pointwise<Relu>();
}  // namespace
}  // namespace dml
