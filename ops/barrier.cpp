#include "ops/barrier.hpp"

namespace dml {
namespace {
const bool barrier_added = add_pointwise<Barrier>();
}  // namespace
}  // namespace dml
