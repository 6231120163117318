#include <cmath>

#include "data/image/resample.hpp"
#include "data/transform.hpp"

namespace dml {
namespace {

/// Cuts out a random rectangle and scales it to the net's size (Szegedy et al., CVPR 2015), as
/// torchvision does since 0.4: area a share U(min_area, max_area) of the picture, aspect ratio
/// log-uniform; ten tries, then the largest centred rectangle within the ratios. The cut comes
/// first, so pixels outside the rectangle never contribute.
class RandomResizedCrop final : public Transform {
 public:
  struct Options {
    double min_area = 0.08;
    double max_area = 1;
    double min_ratio = 3.0 / 4;
    double max_ratio = 4.0 / 3;
    static constexpr std::tuple fields{
        field("min_area", &Options::min_area, "smallest share of the picture", {1e-4, 1}),
        field("max_area", &Options::max_area, "largest share of the picture", {1e-4, 1}),
        field("min_ratio", &Options::min_ratio, "smallest width / height", {0.01, 100}),
        field("max_ratio", &Options::max_ratio, "largest width / height", {0.01, 100})};
  };

  RandomResizedCrop(Options options, const Setup& setup) : o_(options), size_(setup.size) {
    if (o_.min_area > o_.max_area) throw UsageError("min_area is above max_area");
    if (o_.min_ratio > o_.max_ratio) throw UsageError("min_ratio is above max_ratio");
  }

  Box region(Size picture, RandomSequence& random) const override {
    const double area = static_cast<double>(picture.height * picture.width);
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double target = area * random.uniform(o_.min_area, o_.max_area);
      const double ratio = std::exp(random.uniform(std::log(o_.min_ratio), std::log(o_.max_ratio)));
      const std::int64_t width = rounded(std::sqrt(target * ratio));
      const std::int64_t height = rounded(std::sqrt(target / ratio));
      if (width < 1 || width > picture.width || height < 1 || height > picture.height) continue;
      const auto top = random.below(static_cast<std::uint64_t>(picture.height - height + 1));
      const auto left = random.below(static_cast<std::uint64_t>(picture.width - width + 1));
      return {static_cast<std::int64_t>(left), static_cast<std::int64_t>(top), width, height};
    }
    return centred(picture);
  }

  void apply(Image& part, RandomSequence&) const override {
    if (part.height != size_ || part.width != size_) part = resize(part, {size_, size_});
  }

 private:
  /// Halves to even, as Python's round().
  static std::int64_t rounded(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

  Box centred(Size picture) const {
    std::int64_t width = picture.width, height = picture.height;
    const double ratio = static_cast<double>(width) / static_cast<double>(height);
    if (ratio < o_.min_ratio) {
      height = rounded(static_cast<double>(width) / o_.min_ratio);
    } else if (ratio > o_.max_ratio) {
      width = rounded(static_cast<double>(height) * o_.max_ratio);
    }
    width = std::max<std::int64_t>(1, width);
    height = std::max<std::int64_t>(1, height);
    return {(picture.width - width) / 2, (picture.height - height) / 2, width, height};
  }

  Options o_;
  std::int64_t size_;
};

const Register<Transform, RandomResizedCrop> random_resized_crop_transform{{
    .name = "random_resized_crop",
    .summary = "cuts out a random rectangle and scales it to the size that the net wants",
    .paper = "Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
}};

}  // namespace
}  // namespace dml
