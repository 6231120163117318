#include "ops/smooth_l1.hpp"

namespace dml {
namespace {
const bool smooth_l1_added = add_pointwise<SmoothL1>();
}  // namespace
}  // namespace dml
