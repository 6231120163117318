#include "ops/chord.hpp"

namespace dml {
namespace {
const bool added = add_pointwise<Chord>();
}  // namespace
}  // namespace dml
