#include "ops/keep_above.hpp"

namespace dml {
namespace {
const bool keep_above_added = add_pointwise<KeepAbove>();
}  // namespace
}  // namespace dml
