#include <algorithm>
#include <array>

#include "data/transform.hpp"

namespace dml {
namespace {

/// v -> v (1 + a) + 255 b for all channels, a and b at random, as albumentations.
class BrightnessContrast final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    double brightness = 0.2, contrast = 0.2;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("brightness", &Options::brightness, "what is added, at most, as a share of white",
              {0, 1}),
        field("contrast", &Options::contrast, "factors lie in 1 - this to 1 + this", {0, 1}),
    };
  };

  BrightnessContrast(Options options, const Setup&) : options_(options) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    const double factor = 1 + random.uniform(-options_.contrast, options_.contrast);
    const double shift = 255 * random.uniform(-options_.brightness, options_.brightness);
    std::array<std::uint8_t, 256> table{};
    for (std::size_t v = 0; v < table.size(); ++v)
      table[v] = static_cast<std::uint8_t>(
          std::clamp(static_cast<double>(v) * factor + shift, 0.0, 255.0));
    for (std::uint8_t& value : part.pixels) value = table[value];
  }

 private:
  Options options_;
};

const Register<Transform, BrightnessContrast> brightness_contrast_transform{{
    .name = "brightness_contrast",
    .summary = "scales and shifts all channels alike, every second time by default",
}};

}  // namespace
}  // namespace dml
