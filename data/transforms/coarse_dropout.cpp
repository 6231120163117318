#include <algorithm>

#include "data/transform.hpp"

namespace dml {
namespace {

/// Blackens some squares (DeVries and Taylor, Improved Regularization of Convolutional Neural
/// Networks with Cutout, 2017; several, as albumentations draws them).
class CoarseDropout final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    std::int64_t holes = 5;
    std::int64_t side = 40;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("holes", &Options::holes, "1 to so many", {1, 1000}),
        field("side", &Options::side, "of a square, in pixels", {1, 65535}),
    };
  };

  CoarseDropout(Options options, const Setup&) : options_(options) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    const std::int64_t height = std::min(options_.side, part.height);
    const std::int64_t width = std::min(options_.side, part.width);
    const std::uint64_t holes = 1 + random.below(static_cast<std::uint64_t>(options_.holes));
    for (std::uint64_t hole = 0; hole < holes; ++hole) {
      const auto top = random.below(static_cast<std::uint64_t>(part.height - height + 1));
      const auto left = random.below(static_cast<std::uint64_t>(part.width - width + 1));
      for (std::int64_t y = 0; y < height; ++y)
        std::fill_n(part.row(static_cast<std::int64_t>(top) + y) + 3 * left, 3 * width,
                    std::uint8_t{0});
    }
  }

 private:
  Options options_;
};

const Register<Transform, CoarseDropout> coarse_dropout_transform{{
    .name = "coarse_dropout",
    .summary = "blackens up to five squares, every second time by default",
    .aliases = {"cutout"},
}};

}  // namespace
}  // namespace dml
