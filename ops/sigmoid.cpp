#include "ops/sigmoid.hpp"

namespace dml {
namespace {
const bool sigmoid_added = add_pointwise<Sigmoid>();
}  // namespace
}  // namespace dml
