#include <algorithm>
#include <cmath>

#include "data/transform.hpp"

namespace dml {
namespace {

/// Paints a rectangle over the normalised input, with a probability: random erasing (Zhong et al.,
/// AAAI 2020) as the published systems draw it. The colour is in the net's numbers.
class RandomErasing final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    double min_area = 0.02;
    double max_area = 0.4;
    double min_ratio = 0.3;
    double red = 0.4914, green = 0.4822, blue = 0.4465;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("min_area", &Options::min_area, "smallest share of the picture", {1e-6, 1}),
        field("max_area", &Options::max_area, "largest share of the picture", {1e-6, 1}),
        field("min_ratio", &Options::min_ratio,
              "least height over width; the largest is its inverse", {1e-3, 1}),
        field("red", &Options::red, "what the first channel becomes, behind the normalisation",
              {-1e3, 1e3}),
        field("green", &Options::green, "the second channel", {-1e3, 1e3}),
        field("blue", &Options::blue, "the third channel", {-1e3, 1e3}),
    };
  };

  RandomErasing(Options options, const Setup&) : options_(options) {
    if (options_.max_area < options_.min_area) throw UsageError("max_area is below min_area");
  }

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    constexpr int tries = 100;
    const double area = static_cast<double>(part.height * part.width);
    for (int i = 0; i < tries; ++i) {
      const double share = area * random.uniform(options_.min_area, options_.max_area);
      const double ratio = random.uniform(options_.min_ratio, 1 / options_.min_ratio);
      const auto height = static_cast<std::int64_t>(std::nearbyint(std::sqrt(share * ratio)));
      const auto width = static_cast<std::int64_t>(std::nearbyint(std::sqrt(share / ratio)));
      if (width >= part.width || height >= part.height) continue;
      const auto top = random.below(static_cast<std::uint64_t>(part.height - height + 1));
      const auto left = random.below(static_cast<std::uint64_t>(part.width - width + 1));
      part.painted.push_back({{.left = static_cast<std::int64_t>(left),
                               .top = static_cast<std::int64_t>(top),
                               .width = width,
                               .height = height},
                              {static_cast<float>(options_.red), static_cast<float>(options_.green),
                               static_cast<float>(options_.blue)}});
      return;
    }
  }

 private:
  Options options_;
};

const Register<Transform, RandomErasing> random_erasing_transform{{
    .name = "random_erasing",
    .summary = "paints a random rectangle, every second time by default; the last transform",
    .paper = "Zhong et al., Random Erasing Data Augmentation, AAAI 2020",
}};

}  // namespace
}  // namespace dml
