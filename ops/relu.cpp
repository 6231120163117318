#include "ops/relu.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Relu>();
}  // namespace
}  // namespace dml
