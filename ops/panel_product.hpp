#pragma once
#include <algorithm>
#include <array>

#include "ops/transpose_tile.hpp"

/// Products of two matrices of a size that a loss meets: y = a b, a row-major, b in panels of 64
/// columns. A tile of 6 rows by 64 columns stays in registers while the length runs through.
/// oneDNN's product of such sizes spends as long on copies and on waiting for threads as on
/// arithmetic: two threads gained a third over one.
namespace dml::cpu {

#ifdef __AVX512F__
constexpr bool panels_are_fast = true;
#else
constexpr bool panels_are_fast = false;  // the sums of a tile do not fit the registers
#endif

/// b [length, columns], as [panels][length][64]; columns beyond the last are 0.
struct Panels {
  static constexpr std::int64_t width = 64;

  float* data;
  std::int64_t length, columns;

  std::int64_t count() const { return (columns + width - 1) / width; }
  float* of(std::int64_t p) const { return data + p * length * width; }
  /// How many columns of panel p exist.
  std::int64_t used(std::int64_t p) const { return std::min(width, columns - p * width); }

  /// Fills panel p from b, whose rows lie `pitch` floats apart.
  void fill(const float* b, std::int64_t pitch, std::int64_t p) const {
    const std::int64_t n = used(p);
    for (std::int64_t k = 0; k < length; ++k) {
      float* to = of(p) + k * width;
      std::copy_n(b + k * pitch + p * width, n, to);
      std::fill(to + n, to + width, 0.0F);
    }
  }
  /// The same from the transposed of b.
  void fill_transposed(const float* b, std::int64_t pitch, std::int64_t p) const {
    const std::int64_t n = used(p);
    transpose(b + p * width * pitch, pitch, n, length, of(p), width);
    for (std::int64_t k = 0; k < length && n < width; ++k)
      std::fill(of(p) + k * width + n, of(p) + (k + 1) * width, 0.0F);
  }
};

namespace detail {

constexpr int tile_rows = 6;  // 24 sums and what is read fill the 32 registers
constexpr int tile_vectors = Panels::width / 16;

/// y[r][16 skipped, used) (+)= sum over k of a[r][k] panel[k][..] for the first `rows` of six rows;
/// the first `skipped` vectors of columns are left as they are.
template <int skipped>
void run_tile(const std::array<const float*, tile_rows>& a, const float* panel, std::int64_t length,
              bool add, int rows, std::int64_t used, float* y, std::int64_t pitch) {
  Vector16 sum[tile_rows][tile_vectors];
#pragma GCC unroll 6
  for (int r = 0; r < tile_rows; ++r)
#pragma GCC unroll 4
    for (int v = skipped; v < tile_vectors; ++v) sum[r][v] = Vector16{};
  for (std::int64_t k = 0; k < length; ++k) {
    Vector16 x[tile_vectors];
#pragma GCC unroll 4
    for (int v = skipped; v < tile_vectors; ++v)
      x[v] = *reinterpret_cast<const Vector16*>(panel + k * Panels::width + v * 16);
#pragma GCC unroll 6
    for (int r = 0; r < tile_rows; ++r) {
      const Vector16 factor = a[static_cast<unsigned>(r)][k] - Vector16{};
#pragma GCC unroll 4
      for (int v = skipped; v < tile_vectors; ++v) sum[r][v] += factor * x[v];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < tile_rows; ++r) {
    if (r >= rows) break;
    float part[Panels::width];  // columns beyond the last must not be stored
    const bool whole = used == Panels::width;
    float* to = whole ? y + r * pitch : part;
    if (add && !whole) std::copy_n(y + r * pitch, used, part);
#pragma GCC unroll 4
    for (int v = skipped; v < tile_vectors; ++v) {
      const Vector16 old = add ? *reinterpret_cast<Vector16*>(to + v * 16) : Vector16{};
      *reinterpret_cast<Vector16*>(to + v * 16) = old + sum[r][v];
    }
    if (!whole && skipped * 16 < used)
      std::copy(part + skipped * 16, part + used, y + r * pitch + skipped * 16);
  }
}

}  // namespace detail

/// Rows [first, last) of the columns of panel p of y = a b.
/// @param upper  y is symmetric and its rows are its columns: of a row r of the panel's own square,
///               columns before r need not be computed (some are)
inline void multiply_rows(const float* a, std::int64_t a_pitch, const Panels& b, std::int64_t p,
                          std::int64_t first, std::int64_t last, bool upper, float* y,
                          std::int64_t y_pitch) {
  constexpr std::int64_t run = 512;  // summed up before the sums are stored: half a panel in cache
  using detail::tile_rows, detail::run_tile;
  for (std::int64_t from = 0; from < b.length; from += run)
    for (std::int64_t i = first; i < last; i += tile_rows) {
      std::array<const float*, tile_rows> rows;
      for (int r = 0; r < tile_rows; ++r)  // beyond the end: the last row again, not stored
        rows[static_cast<unsigned>(r)] = a + std::min(i + r, last - 1) * a_pitch + from;
      const float* panel = b.of(p) + from * Panels::width;
      const std::int64_t length = std::min(run, b.length - from), used = b.used(p);
      const auto count = static_cast<int>(std::min<std::int64_t>(tile_rows, last - i));
      float* to = y + i * y_pitch + p * Panels::width;
      const bool add = from > 0;
      switch (upper && i > p * Panels::width ? (i - p * Panels::width) / 16 : 0) {
        case 0:
          run_tile<0>(rows, panel, length, add, count, used, to, y_pitch);
          break;
        case 1:
          run_tile<1>(rows, panel, length, add, count, used, to, y_pitch);
          break;
        case 2:
          run_tile<2>(rows, panel, length, add, count, used, to, y_pitch);
          break;
        default:
          run_tile<3>(rows, panel, length, add, count, used, to, y_pitch);
      }
    }
}

}  // namespace dml::cpu
