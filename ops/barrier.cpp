#include "ops/barrier.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Barrier>();
}  // namespace
}  // namespace dml
