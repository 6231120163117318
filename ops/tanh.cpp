#include "ops/tanh.hpp"

namespace dml {
namespace {
const bool tanh_added = add_pointwise<Tanh>();
}  // namespace
}  // namespace dml
