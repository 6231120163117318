#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// Gentler than `standard`: the scale of the picture is kept, only the place of the cut varies.
class RandomCropAugment final : public Augment {
 public:
  struct Options {
    double flip = 0.5;
    static constexpr std::tuple fields{
        field("flip", &Options::flip, "how often a picture is mirrored, 0..1", {0, 1})};
  };

  RandomCropAugment(Options options, const Setup& setup) : options_(options), size_(setup.size) {}

  Pipeline train() const override {
    Pipeline pipeline;
    pipeline.then("resize_shorter", {{"to", std::to_string(shorter_side(size_))}}, {size_});
    pipeline.then("random_crop", {}, {size_});
    pipeline.then("horizontal_flip", {{"probability", schema::text_of(options_.flip)}}, {size_});
    return pipeline;
  }
  Pipeline test() const override { return test_view(size_); }

 private:
  Options options_;
  std::int64_t size_;
};

const Register<Augment, RandomCropAugment> random_crop_augment{{
    .name = "random_crop",
    .summary = "training: shorter side 256, random square, flip; test: the square in the middle",
}};

}  // namespace
}  // namespace dml
