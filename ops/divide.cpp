#include "ops/divide.hpp"

namespace dml {
namespace {
const bool divide_added = add_binary<Divide>();
}  // namespace
}  // namespace dml
