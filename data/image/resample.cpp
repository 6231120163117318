#include "data/image/resample.hpp"

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

template <class T, int n> struct Lanes {
  typedef T type __attribute__((vector_size(sizeof(T) * n)));
};
template <int n> using Ints = typename Lanes<std::int32_t, n>::type;
template <int n> using Bytes = typename Lanes<std::uint8_t, n>::type;

template <int n> Ints<n> load(const std::uint8_t* from) {
  Bytes<n> bytes;
  std::memcpy(&bytes, from, n);
  return __builtin_convertvector(bytes, Ints<n>);
}

/// Weights are never negative and add up to 1 within rounding, so nothing leaves 0..255.
template <int n> void store(const Ints<n>& sum, std::uint8_t* to) {
  const Bytes<n> bytes = __builtin_convertvector(sum >> precision_bits, Bytes<n>);
  std::memcpy(to, &bytes, n);
}

/// One row. Reads and writes whole groups of four bytes, of which three are the pixel: `in` and
/// `out` need one byte more than their pixels.
void horizontal_row(const std::uint8_t* in, const Coefficients& c, std::uint8_t* out) {
  const std::size_t length = c.first.size();
  const std::int32_t* weight = c.weight.data();
  for (std::size_t x = 0; x < length; ++x, weight += c.most) {
    const std::uint8_t* pixel = in + 3 * c.first[x];
    Ints<4> sum = Ints<4>{} + (1 << (precision_bits - 1));
    for (std::int32_t k = 0; k < c.count[x]; ++k) sum += load<4>(pixel + 3 * k) * weight[k];
    store<4>(sum, out + 3 * x);
  }
}

/// Rows [first, last) of the image, to the width of the coefficients.
Image horizontal(const Image& image, const Coefficients& c, std::int64_t first, std::int64_t last) {
  Image out;
  out.reshape(last - first, static_cast<std::int64_t>(c.first.size()));
  out.pixels.push_back(0);  // the byte that the last group writes beyond
  std::vector<std::uint8_t> padded;
  for (std::int64_t y = first; y < last; ++y) {
    const std::uint8_t* row = image.row(y);
    if (y + 1 == image.height) {  // nothing may be read behind the picture
      padded.assign(row, row + image.row_bytes());
      padded.push_back(0);
      row = padded.data();
    }
    horizontal_row(row, c, out.row(y - first));
  }
  out.pixels.pop_back();
  return out;
}

template <int n>
std::int64_t vertical_lanes(const std::uint8_t* in, std::int64_t pitch, const std::int32_t* weight,
                            std::int32_t count, std::int64_t from, std::int64_t width,
                            std::uint8_t* out) {
  std::int64_t x = from;
  for (; x + n <= width; x += n) {
    Ints<n> sum = Ints<n>{} + (1 << (precision_bits - 1));
    for (std::int32_t k = 0; k < count; ++k) sum += load<n>(in + k * pitch + x) * weight[k];
    store<n>(sum, out + x);
  }
  return x;
}

/// `image` begins at row `top` of the picture that the coefficients speak of.
Image vertical(const Image& image, const Coefficients& c, std::int64_t top) {
  Image out;
  out.reshape(static_cast<std::int64_t>(c.first.size()), image.width);
  const std::int64_t bytes = image.row_bytes();
  for (std::int64_t y = 0; y < out.height; ++y) {
    const auto i = static_cast<std::size_t>(y);
    const std::uint8_t* in = image.row(c.first[i] - top);
    std::int64_t x = vertical_lanes<64>(in, bytes, c.of(y), c.count[i], 0, bytes, out.row(y));
    x = vertical_lanes<16>(in, bytes, c.of(y), c.count[i], x, bytes, out.row(y));
    vertical_lanes<1>(in, bytes, c.of(y), c.count[i], x, bytes, out.row(y));
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
