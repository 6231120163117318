#pragma once
#include <cstdint>

#include "weights_convert/checkpoint.hpp"
#include "weights_convert/flatten.hpp"
#include "weights_convert/weights.hpp"

namespace dml::weights {

/// The tensors of a checkpoint with their numbers: packed, row-major, same element type, same bits.
/// Packed tensors share the memory of their storage; only strided ones are copied.
/// @param file_size  from which the limits on memory follow.
/// @throws FormatError
NamedTensors assemble(const Checkpoint& checkpoint, const Flattened& flattened,
                      std::uint64_t file_size);

}  // namespace dml::weights
