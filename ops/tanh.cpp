#include "ops/tanh.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Tanh>();
}  // namespace
}  // namespace dml
