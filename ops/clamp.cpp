#include "ops/clamp.hpp"

namespace dml {
namespace {
const bool clamp_added = add_pointwise<Clamp>();
}  // namespace
}  // namespace dml
