#pragma once
#include <cstdint>
#include <utility>

namespace dml::cpu {

/// Sixteen floats, in one register where the processor has such. (`auto` and templates lose the
/// alignment of 4: name the type wherever memory is read or written.)
using Vector16 [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;

namespace detail {

/// Swaps the blocks off the diagonal of pairs of rows `step` apart: one stage of a transposition.
template <int step, int... lane>
inline void exchange(Vector16* rows, std::integer_sequence<int, lane...>) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    if ((i & step) != 0) continue;
    const Vector16 upper = rows[i], lower = rows[i + step];
    rows[i] =
        __builtin_shufflevector(upper, lower, ((lane & step) == 0 ? lane : 16 + (lane & ~step))...);
    rows[i + step] =
        __builtin_shufflevector(upper, lower, ((lane & step) == 0 ? lane + step : 16 + lane)...);
  }
}

}  // namespace detail

/// A tile of 16 x 16 floats in registers.
struct Tile16 {
  Vector16 rows[16];

  /// From rows that lie `pitch` floats apart.
  static Tile16 load(const float* from, std::int64_t pitch) {
    Tile16 tile;
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      tile.rows[i] = *reinterpret_cast<const Vector16*>(from + i * pitch);
    return tile;
  }
  void store(float* to, std::int64_t pitch) const {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) *reinterpret_cast<Vector16*>(to + i * pitch) = rows[i];
  }
  void transpose() {
    constexpr auto lanes = std::make_integer_sequence<int, 16>{};
    detail::exchange<1>(rows, lanes);
    detail::exchange<2>(rows, lanes);
    detail::exchange<4>(rows, lanes);
    detail::exchange<8>(rows, lanes);
  }
};

/// to = from^T for `rows` x `columns` floats.
inline void transpose(const float* from, std::int64_t from_pitch, std::int64_t rows,
                      std::int64_t columns, float* to, std::int64_t to_pitch) {
  constexpr std::int64_t side = 16;
  for (std::int64_t r = 0; r < rows; r += side)
    for (std::int64_t c = 0; c < columns; c += side) {
      if (r + side <= rows && c + side <= columns) {
        Tile16 tile = Tile16::load(from + r * from_pitch + c, from_pitch);
        tile.transpose();
        tile.store(to + c * to_pitch + r, to_pitch);
        continue;
      }
      for (std::int64_t i = r; i < r + side && i < rows; ++i)
        for (std::int64_t j = c; j < c + side && j < columns; ++j)
          to[j * to_pitch + i] = from[i * from_pitch + j];
    }
}

}  // namespace dml::cpu
