#include "ops/positive.hpp"

namespace dml {
namespace {
const bool positive_added = add_pointwise<Positive>();
}  // namespace
}  // namespace dml
