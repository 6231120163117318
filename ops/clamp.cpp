#include "ops/clamp.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Clamp>();
}  // namespace
}  // namespace dml
