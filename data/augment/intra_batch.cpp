#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// What the published code of intra-batch connections does (its GL_orig_RE; without erasing,
/// GLorig).
class IntraBatchAugment final : public Augment {
 public:
  struct Options {
    double min_area = 0.08;
    double flip = 0.5;
    double erase = 0.5;
    std::int64_t resize = 0;
    double red_deviation = 0.299;
    static constexpr std::tuple fields{
        field("min_area", &Options::min_area, "smallest share of the picture in a crop", {1e-4, 1}),
        field("flip", &Options::flip, "how often a picture is mirrored, 0..1", {0, 1}),
        field("erase", &Options::erase, "how often a rectangle is painted over, 0..1", {0, 1}),
        field("resize", &Options::resize,
              "shorter side at test time; 0: 256 for sizes 224 to 227, else 8/7 of the size",
              {0, 65535}),
        field("red_deviation", &Options::red_deviation,
              "takes the place of ImageNet's 0.229, with which the red channel is divided; the "
              "published weights want 0.299",
              {1e-3, 1e3})};
  };

  IntraBatchAugment(Options options, const Setup& setup) : options_(options), size_(setup.size) {
    if (options_.resize != 0 && options_.resize < size_)
      throw UsageError("resize is below the image size");
  }

  Pipeline train() const override {
    const auto text = [](double value) { return schema::text_of(value); };
    Pipeline pipeline;
    pipeline.then("random_resized_crop", {{"min_area", text(options_.min_area)}}, {size_});
    pipeline.then("horizontal_flip", {{"probability", text(options_.flip)}}, {size_});
    pipeline.then("random_erasing", {{"probability", text(options_.erase)}}, {size_});
    return pipeline;
  }
  Pipeline test() const override { return test_view(size_, options_.resize); }

  // Nets that take 0..255 in BGR keep their own numbers.
  Preprocessing preprocessing(const Preprocessing& wanted) const override {
    Preprocessing result = wanted;
    if (result.order == Channels::rgb && result.std[0] == 0.229)
      result.std[0] = options_.red_deviation;
    return result;
  }

 private:
  Options options_;
  std::int64_t size_;
};

const Register<Augment, IntraBatchAugment> intra_batch_augment{{
    .name = "intra_batch",
    .summary = "random resized crop, flip, random erasing; red divided by 0.299, not 0.229",
    .paper = "Seidenschwarz et al., Learning Intra-Batch Connections for Deep Metric Learning, "
             "ICML 2021",
}};

}  // namespace
}  // namespace dml
