#include "ops/chord.hpp"

namespace dml {
namespace {
const bool chord_added = add_pointwise<Chord>();
}  // namespace
}  // namespace dml
