#include "data/near_duplicates.hpp"

#include <bit>
#include <cstdlib>
#include <numeric>

#include "data/image/reader.hpp"
#include "data/image/resample.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/error.hpp"
#include "engine/interrupted.hpp"

namespace dml {
namespace {

constexpr int side = 8, all_slopes = 2 * side * side;
constexpr int flat = 3;                // what noise makes of a plain background
constexpr int most_shades_apart = 12;  // on average, whatever the light

/// Brightness as in ITU-R 601, 0 to 255.
int grey_of(const std::uint8_t* pixel) {
  return (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) / 1000;
}

int bits_apart(const Glance& a, const Glance& b) {
  return std::popcount(a.slopes[0] ^ b.slopes[0]) + std::popcount(a.slopes[1] ^ b.slopes[1]);
}

int sum_of(const std::array<std::uint8_t, 64>& shades) {
  return std::accumulate(shades.begin(), shades.end(), 0);
}

Glance glance_at_file(const Item& item) {
  try {
    return glance_at(read_picture(item.file));
  } catch (const Error&) {
    return {};  // dmldata verify names it
  }
}

void require_going(const std::function<bool()>& keep_going) {
  if (keep_going && !keep_going()) throw Interrupted("interrupted while images were compared");
}

}  // namespace

Glance glance_at(const Image& image) {
  Glance glance;
  const Image wide = resize(image, {side, side + 1}), high = resize(image, {side + 1, side}),
              square = resize(image, {side, side});
  const auto note = [](std::uint64_t& bits, const std::uint8_t* here, const std::uint8_t* next) {
    const bool falls = grey_of(here) > grey_of(next) + flat;
    bits = bits << 1U | static_cast<unsigned>(falls);
  };
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      note(glance.slopes[0], wide.row(y) + 3 * x, wide.row(y) + 3 * x + 3);
      note(glance.slopes[1], high.row(y) + 3 * x, high.row(y + 1) + 3 * x);
      glance.grey[static_cast<std::size_t>(y * side + x)] =
          static_cast<std::uint8_t>(grey_of(square.row(y) + 3 * x));
    }
  glance.readable = true;
  return glance;
}

int slopes_apart(const Glance& a, const Glance& b) {
  if (!a.readable || !b.readable) return all_slopes;
  const int lighter = (sum_of(a.grey) - sum_of(b.grey)) / (side * side);
  int shades = 0;
  for (std::size_t i = 0; i < a.grey.size(); ++i)
    shades += std::abs(a.grey[i] - b.grey[i] - lighter);
  if (shades > most_shades_apart * side * side) return all_slopes;
  return bits_apart(a, b);
}

std::vector<AlikePair> near_duplicates(const std::vector<Item>& items, int most, int threads,
                                       const std::function<bool()>& keep_going) {
  constexpr std::int64_t at_once = 512;  // between two looks at keep_going
  const auto count = static_cast<std::int64_t>(items.size());
  std::vector<Glance> glances(items.size());
  std::vector<std::vector<AlikePair>> found(items.size());
  const auto compare = [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (!glances[at].readable) return;
    for (std::size_t j = at + 1; j < glances.size(); ++j) {
      if (bits_apart(glances[at], glances[j]) > most) continue;
      const int apart = slopes_apart(glances[at], glances[j]);
      if (apart <= most && items[at].file != items[j].file)
        found[at].push_back({i, static_cast<std::int64_t>(j), apart});
    }
  };
  const auto in_blocks = [&](const auto& work) {
    for (std::int64_t begin = 0; begin < count; begin += at_once) {
      require_going(keep_going);
      cpu::parallel_for(threads, std::min(at_once, count - begin), 1,
                        [&](std::int64_t first, std::int64_t last) {
                          for (std::int64_t i = begin + first; i < begin + last; ++i) work(i);
                        });
    }
  };
  in_blocks([&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    glances[at] = glance_at_file(items[at]);
  });
  in_blocks(compare);
  std::vector<AlikePair> pairs;
  for (const auto& list : found) pairs.insert(pairs.end(), list.begin(), list.end());
  return pairs;
}

}  // namespace dml
