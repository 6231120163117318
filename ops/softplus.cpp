#include "ops/softplus.hpp"

namespace dml {
namespace {
const bool softplus_added = add_pointwise<Softplus>();
}  // namespace
}  // namespace dml
