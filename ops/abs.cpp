#include "ops/abs.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Abs>();
}  // namespace
}  // namespace dml
