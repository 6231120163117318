#include "ops/class_margin.hpp"

namespace dml {
namespace {
const bool class_margin_added = add_own_entry<OwnShift>() && add_own_entry<OwnFill>() &&
                                add_own_entry<OwnArc>() && add_own_entry<OwnArcOfClass>() &&
                                add_own_entry<OwnMultipleAngle>();
}  // namespace
}  // namespace dml
