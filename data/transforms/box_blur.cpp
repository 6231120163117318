#include <algorithm>
#include <vector>

#include "data/transform.hpp"

namespace dml {
namespace {

/// Means over `2 reach + 1` places of a line of `count` values, `step` apart; the line is mirrored
/// at its first and last value.
void blur_line(std::uint8_t* line, std::int64_t count, std::int64_t step, std::int64_t reach,
               std::vector<std::uint8_t>& copy) {
  copy.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) copy[static_cast<std::size_t>(i)] = line[i * step];
  const std::int64_t window = 2 * reach + 1, last = count - 1;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t sum = 0;
    for (std::int64_t j = i - reach; j <= i + reach; ++j) {
      const std::int64_t inside = std::clamp<std::int64_t>(j < 0      ? -j
                                                           : j > last ? 2 * last - j
                                                                      : j,
                                                           0, last);
      sum += copy[static_cast<std::size_t>(inside)];
    }
    line[i * step] = static_cast<std::uint8_t>((2 * sum + window) / (2 * window));
  }
}

/// Blurs with a square window of random odd side.
class BoxBlur final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    std::int64_t largest = 7;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("largest", &Options::largest, "side of the window, at most; 3, 5, ..", {3, 99}),
    };
  };

  BoxBlur(Options options, const Setup&) : options_(options) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    const auto sides = static_cast<std::uint64_t>((options_.largest - 1) / 2);
    const auto reach = static_cast<std::int64_t>(1 + random.below(sides));
    std::vector<std::uint8_t> copy;
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t y = 0; y < part.height; ++y)
        blur_line(part.row(y) + c, part.width, 3, reach, copy);
      for (std::int64_t x = 0; x < part.width; ++x)
        blur_line(part.pixels.data() + 3 * x + c, part.height, part.row_bytes(), reach, copy);
    }
  }

 private:
  Options options_;
};

const Register<Transform, BoxBlur> box_blur_transform{{
    .name = "box_blur",
    .summary = "the mean of a small square around every pixel, every second time by default",
}};

}  // namespace
}  // namespace dml
