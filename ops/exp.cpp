#include "ops/exp.hpp"

namespace dml {
namespace {
const bool exp_added = add_pointwise<Exp>();
}  // namespace
}  // namespace dml
