#pragma once
#include "engine/tape.hpp"

namespace dml {

/// The elements as another type: f32, f64 or bf16, to nearest even. The gradient is converted back.
/// A value that has the type already is returned as it is.   [...] -> [...]
Var cast(const Var& x, DType type);

}  // namespace dml
