#include <algorithm>

#include "data/transform.hpp"

namespace dml {
namespace {

/// Mirrors the picture left to right with a probability.
class HorizontalFlip final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1})};
  };

  HorizontalFlip(Options options, const Setup&) : probability_(options.probability) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= probability_) return;
    for (std::int64_t y = 0; y < part.height; ++y) {
      std::uint8_t* left = part.row(y);
      std::uint8_t* right = left + 3 * (part.width - 1);
      for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
    }
  }

 private:
  double probability_;
};

const Register<Transform, HorizontalFlip> horizontal_flip_transform{{
    .name = "horizontal_flip",
    .summary = "mirrors the picture left to right, every second time by default",
}};

}  // namespace
}  // namespace dml
