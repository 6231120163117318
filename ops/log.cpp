#include "ops/log.hpp"

namespace dml {
namespace {
const bool log_added = add_pointwise<Log>();
}  // namespace
}  // namespace dml
