#include <array>

#include "data/image/colour.hpp"

namespace dml {
namespace {

/// Changes brightness, contrast, saturation and hue at random, in random order, as torchvision.
class ColourJitter final : public Transform {
 public:
  struct Options {
    double probability = 0.8;
    double brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("brightness", &Options::brightness, "factors lie in 1 - this to 1 + this", {0, 1}),
        field("contrast", &Options::contrast, "likewise", {0, 1}),
        field("saturation", &Options::saturation, "likewise", {0, 1}),
        field("hue", &Options::hue, "turns lie in - this to this, shares of the circle", {0, 0.5}),
    };
  };

  ColourJitter(Options options, const Setup&) : options_(options) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    std::array<int, 4> order{0, 1, 2, 3};
    random.shuffle(order);
    const auto factor = [&](double reach) {
      return static_cast<float>(random.uniform(1 - reach, 1 + reach));
    };
    for (const int what : order) {
      if (what == 0) change_brightness(part, factor(options_.brightness));
      if (what == 1) change_contrast(part, factor(options_.contrast));
      if (what == 2) change_saturation(part, factor(options_.saturation));
      if (what == 3 && options_.hue > 0)
        turn_hue(part, random.uniform(-options_.hue, options_.hue));
    }
  }

 private:
  Options options_;
};

const Register<Transform, ColourJitter> colour_jitter_transform{{
    .name = "colour_jitter",
    .summary = "changes brightness, contrast, saturation and hue, most times by default",
    .aliases = {"color_jitter"},
}};

}  // namespace
}  // namespace dml
