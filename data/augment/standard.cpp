#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// What the published systems of deep metric learning do, the Group Loss among them.
class Standard final : public Augment {
 public:
  struct Options {
    double min_area = 0.08;
    double flip = 0.5;
    std::int64_t resize = 0;
    static constexpr std::tuple fields{
        field("min_area", &Options::min_area, "smallest share of the picture in a crop", {1e-4, 1}),
        field("flip", &Options::flip, "how often a picture is mirrored, 0..1", {0, 1}),
        field("resize", &Options::resize,
              "shorter side at test time; 0: 256 for sizes 224 to 227, else 8/7 of the size",
              {0, 65535})};
  };

  Standard(Options options, const Setup& setup) : options_(options), size_(setup.size) {
    if (options_.resize != 0 && options_.resize < size_)
      throw UsageError("resize is below the image size");
  }

  Pipeline train() const override {
    Pipeline pipeline;
    pipeline.then("random_resized_crop", {{"min_area", schema::text_of(options_.min_area)}},
                  {size_});
    pipeline.then("horizontal_flip", {{"probability", schema::text_of(options_.flip)}}, {size_});
    return pipeline;
  }
  Pipeline test() const override { return test_view(size_, options_.resize); }

 private:
  Options options_;
  std::int64_t size_;
};

const Register<Augment, Standard> standard_augment{{
    .name = "standard",
    .summary = "training: random resized crop and flip; test: shorter side 256, centre crop",
    .aliases = {"group_loss", "random_resized_crop"},
}};

}  // namespace
}  // namespace dml
