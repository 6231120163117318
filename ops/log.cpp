#include "ops/log.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Log>();
}  // namespace
}  // namespace dml
