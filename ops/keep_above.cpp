#include "ops/keep_above.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<KeepAbove>();
}  // namespace
}  // namespace dml
