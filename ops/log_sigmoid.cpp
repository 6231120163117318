#include "ops/log_sigmoid.hpp"

namespace dml {
namespace {
const bool log_sigmoid_added = add_pointwise<LogSigmoid>();
}  // namespace
}  // namespace dml
