#include "ops/softplus.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Softplus>();
}  // namespace
}  // namespace dml
