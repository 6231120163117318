#include <algorithm>

#include "ops/lines.hpp"
#include "ops/matmul.hpp"
#include "ops/panel_product.hpp"
#include "ops/self_product.hpp"

namespace dml {
namespace {

/// Rows [first, last) of y = x x^T in the columns of panel p, of which the square of the panel is
/// the last that is not below the diagonal; and what mirrors them there.
void fill_rows(const float* x, const cpu::Panels& panels, std::int64_t p, std::int64_t first,
               std::int64_t last, float* y) {
  const std::int64_t n = panels.columns, left = p * cpu::Panels::width;
  cpu::multiply_rows(x, panels.length, panels, p, first, last, true, y, n);
  const std::int64_t above = std::min(last, left);
  if (first < above)
    cpu::transpose(y + first * n + left, n, above - first, panels.used(p), y + left * n + first, n);
  for (std::int64_t i = std::max(first, left); i < last; ++i)
    for (std::int64_t j = left; j < i; ++j) y[i * n + j] = y[j * n + i];
}

/// Blocks [first, last) of 64 x 64 on and above the diagonal, counted panel by panel. Each thread
/// has whole blocks, and the block of the diagonal needs those above it of no other thread.
void fill_blocks(const float* x, const cpu::Panels& panels, std::int64_t first, std::int64_t last,
                 float* y) {
  constexpr std::int64_t block = cpu::Panels::width;
  for (std::int64_t p = 0, begin = 0; begin < last; begin += ++p) {
    const std::int64_t from = std::max(first, begin), to = std::min(last, begin + p + 1);
    if (from < to)
      fill_rows(x, panels, p, (from - begin) * block,
                std::min(panels.columns, (to - begin) * block), y);
  }
}

/// One half of x x^T; the other is copied.
void half_product(Device& device, const Tensor& x, Tensor& y) {
  constexpr std::int64_t block = cpu::Panels::width;
  const std::int64_t n = x.dim(0), d = x.dim(1);
  if (!cpu::panels_are_fast || n <= block || d == 0)
    return kernel::matmul(device, x, x, {false, true}, 1, 0, y);
  const std::int64_t count = (n + block - 1) / block;
  const Tensor room = device.empty({count, d, block}, DType::f32);
  const cpu::Panels panels{room.raw<float>(), d, n};
  const float* from = x.raw<float>();
  float* to = y.raw<float>();
  threaded_lines(device, count, block * d, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) panels.fill_transposed(from, d, p);
  });
  threaded_lines(device, count * (count + 1) / 2, block * block * d,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   fill_blocks(from, panels, first, last, to);
                 });
}

/// A row of tiles of y = x + x^T, from the diagonal on, and what mirrors it. y may be x.
void add_tiles(const Tensor& x, Tensor& y, std::int64_t row) {
  constexpr std::int64_t side = 16;
  const std::int64_t n = x.dim(0), r = row * side;
  const float* in = x.raw<float>();
  float* out = y.raw<float>();
  for (std::int64_t c = r; c < n; c += side) {
    if (r + side > n || c + side > n) {
      for (std::int64_t i = r; i < std::min(r + side, n); ++i)
        for (std::int64_t j = std::max(i, c); j < std::min(c + side, n); ++j)
          out[i * n + j] = out[j * n + i] = in[i * n + j] + in[j * n + i];
      continue;
    }
    cpu::Tile16 sum = cpu::Tile16::load(in + r * n + c, n);
    cpu::Tile16 mirror = cpu::Tile16::load(in + c * n + r, n);
    mirror.transpose();
    for (std::size_t i = 0; i < side; ++i) sum.rows[i] += mirror.rows[i];
    sum.store(out + r * n + c, n);
    sum.transpose();
    sum.store(out + c * n + r, n);
  }
}

void add_transposed(Device& device, const Tensor& x, Tensor& y) {
  const std::int64_t n = x.dim(0), rows = (n + 15) / 16;
  // A long row of tiles with a short one: equal work for all threads.
  threaded_lines(device, (rows + 1) / 2, 32 * n,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   for (std::int64_t k = first; k < last; ++k) {
                     add_tiles(x, y, k);
                     if (rows - 1 - k > k) add_tiles(x, y, rows - 1 - k);
                   }
                 });
}

const bool self_product_added = kernel::self_product.add(Backend::cpu, half_product) &&
                                kernel::add_transposed.add(Backend::cpu, add_transposed);

}  // namespace
}  // namespace dml
