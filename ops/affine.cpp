#include "ops/affine.hpp"

namespace dml {
namespace {
const bool affine_added = add_pointwise<Affine>();
}  // namespace
}  // namespace dml
