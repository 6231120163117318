#include "ops/add.hpp"

namespace dml {
namespace {
const bool added = add_binary<Add>();
}  // namespace
}  // namespace dml
