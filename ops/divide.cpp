#include "ops/divide.hpp"

namespace dml {
namespace {
const bool added = add_binary<Divide>();
}  // namespace
}  // namespace dml
