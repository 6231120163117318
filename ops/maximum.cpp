#include "ops/maximum.hpp"

namespace dml {
namespace {
const bool added = add_binary<Maximum>();
}  // namespace
}  // namespace dml
