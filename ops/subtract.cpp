#include "ops/subtract.hpp"

namespace dml {
namespace {
const bool added = add_binary<Subtract>();
}  // namespace
}  // namespace dml
