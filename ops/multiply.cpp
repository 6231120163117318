#include "ops/multiply.hpp"

namespace dml {
namespace {
const bool added = add_binary<Multiply>();
}  // namespace
}  // namespace dml
