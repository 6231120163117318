#include "ops/maximum.hpp"

namespace dml {
namespace {
const bool maximum_added = add_binary<Maximum>();
}  // namespace
}  // namespace dml
