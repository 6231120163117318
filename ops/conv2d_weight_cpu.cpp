#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engine/cpu/allocator.hpp"
#include "engine/cpu/parallel.hpp"
#include "ops/conv2d_weight.hpp"

namespace dml {
namespace {

/// dweight[k, i, j, c] = sum over outputs t of dy[t, k] x[t moved by tap (i, j), c].
///
/// The outputs are taken in blocks of some rows. Of a block, a strip of the channels of x is copied
/// to a panel with its padding, so that every tap is the same panel at another offset; dy is copied
/// to panels of a few channels each. A tile of dweight (some k by the strip) then stays in
/// registers while the block runs through: as many multiply-adds per loaded number as there are
/// registers for.
#ifdef __AVX512F__
constexpr bool worthwhile = true;
#else
constexpr bool worthwhile = false;
#endif
constexpr std::int64_t lanes = 16;
constexpr std::int64_t block_outputs = 96;  // the panel stays in the first-level cache

using Vector [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;

/// Outputs that follow each other in the panel: `length` of them from `offset` on.
struct Segment {
  std::int64_t offset, length;
};

/// What will be read soon: one cache line per output, `step` elements apart.
struct Ahead {
  const float* data = nullptr;
  std::int64_t step = 0;
};

/// Where a tile of dweight goes, and how much of it exists.
struct Place {
  float* to;
  std::int64_t pitch, k, c;
};

/// to += the first `count` elements of a vector.
inline void add_vector(Vector sum, float* to, std::int64_t count) {
  if (count >= lanes) {
    *reinterpret_cast<Vector*>(to) += sum;
    return;
  }
  for (int i = 0; i < count; ++i) to[i] += sum[i];
}

/// tile[k][c] += sum over outputs a[t][k] b[t][c], with KR k and CV vectors of c.
template <int KR, int CV>
void run_tile(const std::vector<Segment>& segments, const float* a, const float* b,
              std::int64_t step, const Place& place, Ahead ahead) {
  Vector sum[KR][CV];
#pragma GCC unroll 24
  for (int k = 0; k < KR; ++k)
#pragma GCC unroll 4
    for (int v = 0; v < CV; ++v) sum[k][v] = Vector{};
  for (const Segment& segment : segments) {
    const float* from = b + segment.offset;
    for (std::int64_t t = 0; t < segment.length; ++t) {
      Vector x[CV];
#pragma GCC unroll 4
      for (int v = 0; v < CV; ++v) x[v] = *reinterpret_cast<const Vector*>(from + v * lanes);
#pragma GCC unroll 24
      for (int k = 0; k < KR; ++k) {
        const Vector factor = a[k] - Vector{};
#pragma GCC unroll 4
        for (int v = 0; v < CV; ++v) sum[k][v] += factor * x[v];
      }
      __builtin_prefetch(ahead.data, 0, 2);
      ahead.data += ahead.step;
      a += KR;
      from += step;
    }
  }
#pragma GCC unroll 24
  for (int k = 0; k < KR; ++k) {
    if (k >= place.k) break;
    float* to = place.to + k * place.pitch;
#pragma GCC unroll 4
    for (int v = 0; v < CV; ++v) add_vector(sum[k][v], to + v * lanes, place.c - v * lanes);
  }
}

/// How many k a tile has beside CV vectors of c: 24 sums, and what is read, fill the 32 registers.
constexpr int tile_k(int vectors) { return 24 / vectors; }

struct Problem {
  const Tensor &x, &dy;
  Conv2dOptions options;
  std::int64_t r, s, c, k, oh, ow;
  bool flat;  // 1x1, stride 1, no padding: all outputs are one row

  Problem(const Tensor& in, const Tensor& up, const Conv2dOptions& o, const Tensor& dweight)
      : x(in),
        dy(up),
        options(o),
        r(dweight.dim(1)),
        s(dweight.dim(2)),
        c(in.dim(3)),
        k(up.dim(3)),
        oh(up.dim(1)),
        ow(up.dim(2)) {
    flat = r == 1 && s == 1 && o.stride == std::array{1, 1} && o.pad == std::array{0, 0};
  }

  /// The pieces that the outputs are cut into: rows of maps, or runs of pixels.
  std::int64_t rows() const {
    return flat ? (dy.row_count() + block_outputs - 1) / block_outputs : dy.dim(0) * oh;
  }
  std::int64_t rows_per_block() const {
    return flat ? 1 : std::max<std::int64_t>(1, block_outputs / ow);
  }
  /// The outputs of rows [first, last).
  std::int64_t first_output(std::int64_t row) const {
    return flat ? std::min(row * block_outputs, dy.row_count()) : row * ow;
  }
  /// Columns of the panel that one row of outputs needs.
  std::int64_t panel_width() const {
    return (ow - 1) * options.stride[1] + (s - 1) * options.dilation[1] + 1;
  }
  std::int64_t panel_rows() const {  // at most, of one block
    return rows_per_block() *
           std::max<std::int64_t>(options.stride[0], (r - 1) * options.dilation[0] + 1);
  }
};

/// Copies channels [from, from + count) of one pixel, filled up with zeros to `width`; of none
/// (null) zeros alone.
void copy_pixel(const float* pixel, std::int64_t from, std::int64_t count, std::int64_t width,
                float* to) {
  if (pixel == nullptr) {
    std::fill_n(to, width, 0.0F);
    return;
  }
  if (count == width) {
    for (std::int64_t i = 0; i < width; i += lanes)
      *reinterpret_cast<Vector*>(to + i) = *reinterpret_cast<const Vector*>(pixel + from + i);
    return;
  }
  std::copy_n(pixel + from, count, to);
  std::fill_n(to + count, width - count, 0.0F);
}

/// Copies what output rows [first, last) see of channels [from, from + count) to the panel; the
/// segments say where each row's first tap begins.
void pack_x(const Problem& v, std::int64_t first, std::int64_t last, std::int64_t from,
            std::int64_t count, std::int64_t width, float* panel, std::vector<Segment>& segments) {
  segments.clear();
  const float* x = v.x.raw<float>();
  if (v.flat) {
    const std::int64_t begin = v.first_output(first), end = v.first_output(last);
    for (std::int64_t t = begin; t < end; ++t)
      copy_pixel(x + t * v.c, from, count, width, panel + (t - begin) * width);
    segments.push_back({0, end - begin});
    return;
  }
  const std::int64_t h = v.x.dim(1), w = v.x.dim(2), columns = v.panel_width();
  std::int64_t filled = 0;  // rows of the panel
  while (first < last) {    // the rows of one image
    const std::int64_t image = first / v.oh, p = first % v.oh;
    const std::int64_t rows = std::min(last - first, v.oh - p), stride = v.options.stride[0];
    const std::int64_t top = p * stride - v.options.pad[0];
    const std::int64_t height = (rows - 1) * stride + (v.r - 1) * v.options.dilation[0] + 1;
    for (std::int64_t i = 0; i < rows; ++i)
      segments.push_back({(filled + i * stride) * columns * width, v.ow});
    for (std::int64_t i = 0; i < height; ++i, ++filled)
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t y = top + i, at = j - v.options.pad[1];
        const bool inside = y >= 0 && y < h && at >= 0 && at < w;
        copy_pixel(inside ? x + ((image * h + y) * w + at) * v.c : nullptr, from, count, width,
                   panel + (filled * columns + j) * width);
      }
    first += rows;
  }
}

/// Copies channels [from, to) of dy to panels [outputs][tile], filled up with zeros.
template <int tile>
void pack_dy(const Problem& v, std::int64_t first, std::int64_t last, std::int64_t from,
             std::int64_t to, float* panels) {
  const float* dy = v.dy.raw<float>() + first * v.k;
  for (std::int64_t k = from; k < to; k += tile, panels += (last - first) * tile) {
    const std::int64_t count = std::min<std::int64_t>(tile, to - k);
    for (std::int64_t t = 0; t < last - first; ++t) {
      float* out = panels + t * tile;
      if (count == tile) {
        std::memcpy(out, dy + t * v.k + k, tile * sizeof(float));
      } else {
        for (std::int64_t i = 0; i < tile; ++i) out[i] = i < count ? dy[t * v.k + k + i] : 0.0F;
      }
    }
  }
}

/// A line of each pixel that is needed after this strip: its next strip of x, or the next block's
/// first one and dy. Without windows there is so little arithmetic per number that waiting for
/// memory would show.
Ahead next_lines(const Problem& v, std::int64_t row, std::int64_t c, bool same_block, int vectors,
                 std::int64_t call) {
  const float* x = v.x.raw<float>();
  if (!v.flat || (!same_block && v.first_output(row + 2) <= v.first_output(row + 1))) return {x, 0};
  const std::int64_t first = v.first_output(same_block ? row : row + 1);
  if (call < vectors) return {x + first * v.c + c + call * lanes, v.c};
  const std::int64_t line = call - vectors;
  if (same_block || line * lanes >= v.k) return {x, 0};
  return {v.dy.raw<float>() + first * v.k + line * lanes, v.k};
}

/// A share of the work: rows of outputs, and k.
struct Share {
  std::int64_t first_row, last_row, first_k, last_k;
};

/// Adds the share's part for the strips of CV vectors of c in [from, to).
template <int CV>
void run_strips(const Problem& v, const Share& share, std::int64_t from, std::int64_t to,
                float* dweight) {
  constexpr int KR = tile_k(CV);
  constexpr std::int64_t width = CV * lanes;
  const std::int64_t most_outputs = v.flat ? block_outputs : v.rows_per_block() * v.ow;
  const std::int64_t tiles = (share.last_k - share.first_k + KR - 1) / KR;
  const std::int64_t panel_pixels = v.flat ? block_outputs : v.panel_rows() * v.panel_width();
  // One vector more: the last pixel of a tap may be read past its end.
  const auto space = cpu::allocate(
      static_cast<std::size_t>(panel_pixels * width + tiles * KR * most_outputs + lanes) *
      sizeof(float));
  float* panel = reinterpret_cast<float*>(space->bytes);
  float* up = panel + panel_pixels * width;
  const std::int64_t pitch = v.r * v.s * v.c,
                     row_step = v.options.dilation[0] * v.panel_width() * width;
  std::vector<Segment> segments;
  for (std::int64_t row = share.first_row; row < share.last_row; row += v.rows_per_block()) {
    const std::int64_t end = std::min(row + v.rows_per_block(), share.last_row);
    const std::int64_t first = v.first_output(row), outputs = v.first_output(end) - first;
    pack_dy<KR>(v, first, first + outputs, share.first_k, share.last_k, up);
    for (std::int64_t c = from; c < to; c += width) {
      const std::int64_t count = std::min(width, to - c);
      const bool in_place = v.flat && v.c == width;  // x is its own panel
      if (in_place) {
        segments = {{0, outputs}};
      } else {
        pack_x(v, row, end, c, count, width, panel, segments);
      }
      const float* taps = in_place ? v.x.raw<float>() + first * v.c : panel;
      std::int64_t call = 0;
      for (std::int64_t k = share.first_k; k < share.last_k; k += KR)
        for (std::int64_t tap = 0; tap < v.r * v.s; ++tap)
          run_tile<KR, CV>(
              segments, up + (k - share.first_k) * outputs,
              taps + tap / v.s * row_step + tap % v.s * v.options.dilation[1] * width,
              v.flat ? width : v.options.stride[1] * width,
              {dweight + k * pitch + tap * v.c + c, pitch, share.last_k - k, count},
              next_lines(v, row, c + width < to ? c + width : from, c + width < to, CV, call++));
    }
  }
}

void run_share(const Problem& v, const Share& share, float* dweight) {
  const std::int64_t whole = v.c / (4 * lanes) * (4 * lanes);
  if (whole > 0) run_strips<4>(v, share, 0, whole, dweight);
  const std::int64_t vectors = (v.c - whole + lanes - 1) / lanes;
  if (vectors == 3) run_strips<3>(v, share, whole, v.c, dweight);
  if (vectors == 2) run_strips<2>(v, share, whole, v.c, dweight);
  if (vectors == 1) run_strips<1>(v, share, whole, v.c, dweight);
}

}  // namespace

namespace {

/// Every stride-th pixel of x: what a window of one pixel sees.
Tensor seen_pixels(Device& device, const Tensor& x, const Tensor& dy,
                   const Conv2dOptions& options) {
  const std::int64_t h = x.dim(1), w = x.dim(2), c = x.dim(3), oh = dy.dim(1), ow = dy.dim(2);
  const std::int64_t down = options.stride[0], across = options.stride[1];
  Tensor seen = device.empty({x.dim(0), oh, ow, c}, DType::f32);
  const float* from = x.raw<float>();
  float* to = seen.raw<float>();
  cpu::parallel_for(device.threads(), x.dim(0) * oh, 1 + (1 << 13) / (ow * c),
                    [=](std::int64_t first, std::int64_t last) {
                      for (std::int64_t row = first; row < last; ++row)
                        for (std::int64_t q = 0; q < ow; ++q)
                          std::copy_n(
                              from + ((row / oh * h + row % oh * down) * w + q * across) * c, c,
                              to + (row * ow + q) * c);
                    });
  return seen;
}

}  // namespace

bool conv2d_weight_gradient(Device& device, const Tensor& x, const Tensor& dy,
                            const Conv2dOptions& options, Tensor& dweight) {
  const bool point = dweight.dim(1) * dweight.dim(2) == 1 && options.pad == std::array{0, 0};
  const bool moves = options.stride != std::array{1, 1};
  if (!worthwhile || options.groups != 1 || x.dim(3) < lanes || (!point && !moves)) return false;
  if (point && moves)
    return conv2d_weight_gradient(device, seen_pixels(device, x, dy, options), dy, {}, dweight);
  const Problem v(x, dy, options, dweight);
  device.clear(dweight);
  // Many k: every thread takes some of them. Few: every thread takes some rows, for a sum of its
  // own.
  const std::int64_t threads = device.threads();
  const bool by_k = v.k >= 16 * tile_k(4) * threads && dweight.bytes() > (std::size_t{1} << 20U);
  const std::int64_t parts = by_k ? 1 : std::min(threads, v.rows() / v.rows_per_block() + 1);
  std::vector<Tensor> sums{dweight};
  for (std::int64_t part = 1; part < parts; ++part)
    sums.push_back(device.zeros(dweight.shape(), DType::f32));
  cpu::parallel_for(
      device.threads(), by_k ? threads : parts, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
          constexpr std::int64_t unit = 24;  // a multiple of every tile's k
          const std::int64_t units = (v.k + unit - 1) / unit;
          const Share share = by_k
                                  ? Share{0, v.rows(), std::min(v.k, units * i / threads * unit),
                                          std::min(v.k, units * (i + 1) / threads * unit)}
                                  : Share{v.rows() * i / parts, v.rows() * (i + 1) / parts, 0, v.k};
          run_share(v, share, sums[by_k ? 0 : static_cast<std::size_t>(i)].raw<float>());
        }
      });
  if (parts == 1) return true;
  cpu::parallel_for(device.threads(), dweight.size(), 1 << 13,
                    [&](std::int64_t first, std::int64_t last) {
                      float* to = dweight.raw<float>();
                      for (std::size_t part = 1; part < sums.size(); ++part) {
                        const float* from = sums[part].raw<float>();
                        for (std::int64_t i = first; i < last; ++i) to[i] += from[i];
                      }
                    });
  return true;
}

}  // namespace dml
