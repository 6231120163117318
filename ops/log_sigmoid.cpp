#include "ops/log_sigmoid.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<LogSigmoid>();
}  // namespace
}  // namespace dml
