#include "ops/hyperbolic.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Artanh>();
}  // namespace
}  // namespace dml
