#include "ops/square_root.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<SquareRoot>();
}  // namespace
}  // namespace dml
