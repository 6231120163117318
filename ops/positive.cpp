#include "ops/positive.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Positive>();
}  // namespace
}  // namespace dml
