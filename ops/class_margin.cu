#include "ops/class_margin.hpp"
#include "ops/own_entry.cuh"

namespace dml {
namespace {
const bool class_margin_added = add_own_entry_cuda<OwnShift>() && add_own_entry_cuda<OwnFill>() &&
                                add_own_entry_cuda<OwnArc>() &&
                                add_own_entry_cuda<OwnArcOfClass>() &&
                                add_own_entry_cuda<OwnMultipleAngle>();
}  // namespace
}  // namespace dml
