#include "ops/exp.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Exp>();
}  // namespace
}  // namespace dml
