#include <algorithm>
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

/// Takes the colours away with a probability.
class Greyscale final : public Transform {
 public:
  struct Options {
    double probability = 0.2;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1})};
  };

  Greyscale(Options options, const Setup&) : probability_(options.probability) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() < probability_) make_grey(part);
  }

 private:
  double probability_;
};

const Register<Transform, Greyscale> greyscale_transform{{
    .name = "greyscale",
    .summary = "takes the colours away, every fifth time by default",
    .aliases = {"grayscale"},
}};

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
