#include "ops/abs.hpp"

namespace dml {
namespace {
const bool abs_added = add_pointwise<Abs>();
}  // namespace
}  // namespace dml
