#include "ops/affine.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Affine>();
}  // namespace
}  // namespace dml
