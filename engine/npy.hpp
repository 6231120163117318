#pragma once
#include <filesystem>

#include "engine/tensor.hpp"

namespace dml {

/// Reads an array in NumPy's .npy format (versions 1 to 3, C or Fortran order, little-endian
/// f2 f4 f8 i1 i2 i4 i8 u1 b1). Every length is checked before use.
/// @throws DataError when the file cannot be read, FormatError when it is malformed.
Tensor read_npy(const std::filesystem::path& file);

/// Writes .npy version 1.0, C order, atomically.
void write_npy(const std::filesystem::path& file, const Tensor& tensor);

}  // namespace dml
