#include <algorithm>

#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// The stronger augmentations of the published code of Divide & Conquer (its option --album).
class DivideAugment final : public Augment {
 public:
  struct Options {
    std::string album = "ColorHeavy";
    double min_area = 0.08;
    double flip = 0.5;
    std::int64_t resize = 0;
    static constexpr std::tuple fields{
        field("album", &Options::album,
              "ColorHeavy: colour jitter, some pictures grey; GeomColor: brightness and contrast, "
              "shift and turn, black squares, blur; Geom: the same without a change of colour",
              "ColorHeavy|GeomColor|Geom"),
        field("min_area", &Options::min_area, "smallest share of the picture in a crop", {1e-4, 1}),
        field("flip", &Options::flip, "how often a picture is mirrored, 0..1", {0, 1}),
        field("resize", &Options::resize,
              "shorter side at test time; 0: 256 for sizes 224 to 227, else 8/7 of the size",
              {0, 65535})};
  };

  DivideAugment(Options options, const Setup& setup) : options_(options), size_(setup.size) {
    if (options_.resize != 0 && options_.resize < size_)
      throw UsageError("resize is below the image size");
  }

  Pipeline train() const override {
    const Settings area{{"min_area", schema::text_of(options_.min_area)}};
    const Settings flip{{"probability", schema::text_of(options_.flip)}};
    Pipeline pipeline;
    const auto then = [&](const std::string& name, const Settings& settings = {}) {
      pipeline.then(name, settings, {size_});
    };
    if (options_.album == "Geom") then("shift_rotate");
    then("random_resized_crop", area);
    if (options_.album == "GeomColor") then("brightness_contrast");
    then("horizontal_flip", flip);
    if (options_.album == "ColorHeavy") {
      then("colour_jitter");
      then("greyscale");
      return pipeline;
    }
    if (options_.album == "GeomColor") then("shift_rotate");
    // Squares of 40 pixels in a picture of 224, smaller ones in a smaller picture.
    then("coarse_dropout", {{"side", std::to_string(std::max<std::int64_t>(1, size_ * 40 / 224))}});
    then("box_blur");
    return pipeline;
  }
  Pipeline test() const override { return test_view(size_, options_.resize); }

 private:
  Options options_;
  std::int64_t size_;
};

const Register<Augment, DivideAugment> divide_augment{{
    .name = "divide",
    .summary = "stronger: colour jitter and grey, or shift, turn, black squares and blur",
    .paper = "Sanakoyeu et al., Improving Deep Metric Learning by Divide and Conquer, TPAMI 2021",
    .aliases = {"strong"},
}};

}  // namespace
}  // namespace dml
