#include "ops/add.hpp"

namespace dml {
namespace {
const bool add_added = add_binary<Add>();
}  // namespace
}  // namespace dml
