#include "data/image/resample.hpp"

#ifdef __SSSE3__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/check.hpp"

namespace dml {
namespace {

constexpr int precision_bits = 32 - 8 - 2;

/// For every output index of a window: the first input index that counts, how many do, and their
/// weights (`most` per output index, those behind the count are 0).
struct Coefficients {
  std::vector<std::int32_t> first, count, weight;
  std::int64_t most = 0;

  const std::int32_t* of(std::int64_t i) const { return weight.data() + i * most; }
};

/// Pillow's precompute_coeffs and normalize_coeffs_8bpc, step by step in the same order.
Coefficients coefficients(std::int64_t in, std::int64_t out, std::int64_t begin,
                          std::int64_t length) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;  // the triangle reaches 1 to each side
  const double step = 1.0 / filter_scale;
  Coefficients c;
  c.most = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  c.weight.assign(static_cast<std::size_t>(length * c.most), 0);
  std::vector<double> raw(static_cast<std::size_t>(c.most));
  for (std::int64_t i = 0; i < length; ++i) {
    const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto end = std::min<std::int64_t>(in, static_cast<std::int64_t>(centre + support + 0.5));
    double sum = 0;
    for (std::int64_t k = 0; k < end - first; ++k) {
      const double x = std::abs((static_cast<double>(k + first) - centre + 0.5) * step);
      raw[static_cast<std::size_t>(k)] = x < 1.0 ? 1.0 - x : 0.0;
      sum += raw[static_cast<std::size_t>(k)];
    }
    for (std::int64_t k = 0; k < end - first; ++k) {
      double w = raw[static_cast<std::size_t>(k)];
      if (sum != 0.0) w /= sum;
      c.weight[static_cast<std::size_t>(i * c.most + k)] =
          static_cast<std::int32_t>(0.5 + w * (1 << precision_bits));
    }
    c.first.push_back(static_cast<std::int32_t>(first));
    c.count.push_back(static_cast<std::int32_t>(end - first));
  }
  return c;
}

constexpr std::int32_t half = 1 << (precision_bits - 1);

/// A weighted sum as 8 bits. Weights are never negative and add up to 1 within rounding, so nothing
/// leaves 0..255.
std::uint8_t rounded(std::int32_t sum) { return static_cast<std::uint8_t>(sum >> precision_bits); }

/// Rows are read by this many bytes beyond their last pixel.
constexpr std::size_t slack = 8;

#ifdef __SSSE3__
/// The horizontal weights for multiplications of 16 bits: w = 2^11 high + low, two taps in a word.
/// A sum of products splits in the same way, without rounding.
struct PairedWeights {
  explicit PairedWeights(const Coefficients& c) : most((c.most + 1) / 2) {
    for (std::size_t x = 0; x < c.first.size(); ++x) {
      const std::int32_t* w = c.of(static_cast<std::int64_t>(x));
      for (std::int64_t k = 0; k < 2 * most; k += 2) {
        const std::int32_t a = w[k], b = k + 1 < c.most ? w[k + 1] : 0;
        high.push_back((a >> 11) | ((b >> 11) << 16));
        low.push_back((a & 2047) | ((b & 2047) << 16));
      }
    }
  }
  std::int64_t most;
  std::vector<std::int32_t> high, low;
};

void horizontal_row(const std::uint8_t* in, const Coefficients& c, const PairedWeights& weights,
                    std::uint8_t* out) {
  // Bytes r0 g0 b0 r1 g1 b1 as 16-bit pairs (r0, r1), (g0, g1), (b0, b1).
  const __m128i pairs = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m128i bytes = _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const std::int32_t* high = weights.high.data();
  const std::int32_t* low = weights.low.data();
  for (std::size_t x = 0; x < c.first.size(); ++x, high += weights.most, low += weights.most) {
    const std::uint8_t* pixel = in + 3 * c.first[x];
    __m128i upper = _mm_setzero_si128(), lower = _mm_set1_epi32(half);
    for (std::int32_t k = 0; 2 * k < c.count[x]; ++k) {
      const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixel + 6 * k));
      const __m128i two = _mm_shuffle_epi8(eight, pairs);
      upper = _mm_add_epi32(upper, _mm_madd_epi16(two, _mm_set1_epi32(high[k])));
      lower = _mm_add_epi32(lower, _mm_madd_epi16(two, _mm_set1_epi32(low[k])));
    }
    const __m128i sum = _mm_add_epi32(_mm_slli_epi32(upper, 11), lower);
    const __m128i three = _mm_shuffle_epi8(_mm_srli_epi32(sum, precision_bits), bytes);
    const std::int32_t packed = _mm_cvtsi128_si32(three);
    std::memcpy(out + 3 * x, &packed, 4);  // the fourth byte belongs to the next pixel
  }
}
#else
struct PairedWeights {
  explicit PairedWeights(const Coefficients&) {}
};

void horizontal_row(const std::uint8_t* in, const Coefficients& c, const PairedWeights&,
                    std::uint8_t* out) {
  const std::int32_t* weight = c.weight.data();
  for (std::size_t x = 0; x < c.first.size(); ++x, weight += c.most) {
    const std::uint8_t* pixel = in + 3 * c.first[x];
    for (int channel = 0; channel < 3; ++channel) {
      std::int32_t sum = half;
      for (std::int32_t k = 0; k < c.count[x]; ++k) sum += pixel[3 * k + channel] * weight[k];
      out[3 * x + static_cast<std::size_t>(channel)] = rounded(sum);
    }
  }
}
#endif

/// Rows [first, last) of the image, to the width of the coefficients.
Image horizontal(const Image& image, const Coefficients& c, std::int64_t first, std::int64_t last) {
  Image out;
  out.reshape(last - first, static_cast<std::int64_t>(c.first.size()));
  out.pixels.push_back(0);  // for the byte that is written beyond the last pixel
  const PairedWeights weights(c);
  std::vector<std::uint8_t> padded;
  for (std::int64_t y = first; y < last; ++y) {
    const std::uint8_t* row = image.row(y);
    const auto behind = static_cast<std::size_t>((image.height - y - 1) * image.row_bytes());
    if (behind < slack) {  // nothing may be read beyond the picture
      padded.assign(row, row + image.row_bytes());
      padded.resize(padded.size() + slack);
      row = padded.data();
    }
    horizontal_row(row, c, weights, out.row(y - first));
  }
  out.pixels.pop_back();
  return out;
}

/// `width` bytes of one row: the weighted sum of `count` rows that lie `pitch` bytes apart.
void vertical_row(const std::uint8_t* in, std::int64_t pitch, const std::int32_t* weight,
                  std::int32_t count, std::int64_t width, std::uint8_t* out) {
  constexpr std::int64_t block = 128;
  std::int32_t sum[block];
  for (std::int64_t x = 0; x < width; x += block) {
    const std::int64_t n = std::min(block, width - x);
    std::fill_n(sum, n, half);
    for (std::int32_t k = 0; k < count; ++k) {
      const std::uint8_t* row = in + k * pitch + x;
      const std::int32_t w = weight[k];
      for (std::int64_t i = 0; i < n; ++i) sum[i] += row[i] * w;
    }
    for (std::int64_t i = 0; i < n; ++i) out[x + i] = rounded(sum[i]);
  }
}

/// `image` begins at row `top` of the picture that the coefficients speak of.
Image vertical(const Image& image, const Coefficients& c, std::int64_t top) {
  Image out;
  out.reshape(static_cast<std::int64_t>(c.first.size()), image.width);
  for (std::int64_t y = 0; y < out.height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    vertical_row(image.row(c.first[i] - top), image.row_bytes(), c.of(y), c.count[i],
                 image.row_bytes(), out.row(y));
  }
  return out;
}

}  // namespace

Image resize(const Image& image, Size size) {
  return resize_window(image, size, {0, 0, size.width, size.height});
}

Image resize_window(const Image& image, Size size, const Box& window) {
  DML_CHECK(image.height > 0 && image.width > 0, "resize: the picture has no pixels");
  DML_CHECK(!window.empty() && window.left >= 0 && window.top >= 0 &&
                window.left + window.width <= size.width &&
                window.top + window.height <= size.height,
            "resize: the window is not inside the new picture");
  const bool change_width = image.width != size.width;
  const bool change_height = image.height != size.height;
  if (!change_width && !change_height) return crop(image, window);
  std::int64_t first = window.top, last = window.top + window.height;
  Coefficients rows;
  if (change_height) {
    rows = coefficients(image.height, size.height, window.top, window.height);
    first = rows.first.front();
    last = rows.first.back() + rows.count.back();
  }
  Image part;
  if (change_width) {
    part = horizontal(image, coefficients(image.width, size.width, window.left, window.width),
                      first, last);
  } else {
    part = crop(image, {window.left, first, window.width, last - first});
  }
  return change_height ? vertical(part, rows, first) : part;
}

}  // namespace dml
