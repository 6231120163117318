#pragma once
#include "engine/tape.hpp"

namespace dml::revisiting {

/// Triplets as three lists of rows, [t] i64 each on the device, with a weight that is 0 where an
/// entry stands for nothing: lists have a fixed length, however many triplets a miner finds.
struct Triplets {
  Tensor anchor, positive, negative;
  Tensor counted{};  ///< [t] of the embeddings' type, 0 or 1; undefined: all 1
};

}  // namespace dml::revisiting
