#include "ops/chord.hpp"
#include "ops/pointwise.cuh"

namespace dml {
namespace {
const bool chord_added = add_pointwise_cuda<Chord>();
}  // namespace
}  // namespace dml
