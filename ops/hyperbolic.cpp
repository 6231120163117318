#include "ops/hyperbolic.hpp"

namespace dml {
namespace {
const bool hyperbolic_added = add_pointwise<Artanh>();
}  // namespace
}  // namespace dml
