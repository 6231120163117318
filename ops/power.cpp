#include "ops/power.hpp"

namespace dml {
namespace {
const bool power_added = add_pointwise<Power>();
}  // namespace
}  // namespace dml
