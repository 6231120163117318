#include "ops/subtract.hpp"

namespace dml {
namespace {
const bool subtract_added = add_binary<Subtract>();
}  // namespace
}  // namespace dml
