#include "ops/multiply.hpp"

namespace dml {
namespace {
const bool multiply_added = add_binary<Multiply>();
}  // namespace
}  // namespace dml
