#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/random.hpp"

namespace dml {

/// What random numbers look like.
enum class Noise : std::uint8_t { uniform, normal };

/// Which numbers: row i is the stream random.split(first + i), so a row does not depend on the
/// others, nor on how a set is cut into batches.
struct NoiseRows {
  Noise kind = Noise::uniform;
  Random random{0, Purpose::mine};
  std::int64_t first = 0;

  /// The k-th number of row i, in f64: uniform in [0, 1), or standard normal (Box-Muller).
  DML_HOST_DEVICE double value(std::int64_t i, std::int64_t k) const {
    using std::cos, std::log, std::sqrt;
    const Random row = random.split(static_cast<std::uint64_t>(first + i));
    const auto at = static_cast<std::uint64_t>(k);
    if (kind == Noise::uniform) return row.uniform(at);
    return sqrt(-2 * log(1 - row.uniform(2 * at))) *
           cos(6.283185307179586 * row.uniform(2 * at + 1));
  }
};

/// Random numbers made on the device, [rows, columns] f32 or f64. The same on every backend, up to
/// the rounding of logarithm and cosine. An f32 uniform number may round up to 1.
Tensor noise(Device& device, const NoiseRows& rows, const Shape& shape, DType type);

namespace kernel {
/// y: [n, d]
inline constinit Kernel<void(const NoiseRows& rows, Tensor& y)> noise{"noise"};
}  // namespace kernel

}  // namespace dml
