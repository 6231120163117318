#include "ops/sigmoid.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Sigmoid>();
}  // namespace
}  // namespace dml
