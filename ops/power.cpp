#include "ops/power.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Power>();
}  // namespace
}  // namespace dml
