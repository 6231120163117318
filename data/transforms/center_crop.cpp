#include <cmath>
#include <cstring>

#include "data/transform.hpp"

namespace dml {
namespace {

/// Cuts a square out of the middle. As torchvision's CenterCrop: the offset is (side - size) / 2,
/// halves rounded to even; a smaller picture first gets a black border, the odd pixel of it on the
/// right and at the bottom.
class CenterCrop final : public Transform {
 public:
  struct Options {
    std::int64_t size = 0;
    static constexpr std::tuple fields{
        field("size", &Options::size, "pixels; 0: the size that the net wants", {0, 65535})};
  };

  CenterCrop(Options options, const Setup& setup)
      : size_(options.size > 0 ? options.size : setup.size) {}

  Box region(Size picture, RandomSequence&) const override {
    const auto [left, width] = middle(picture.width);
    const auto [top, height] = middle(picture.height);
    return {left, top, width, height};
  }

  void apply(Image& part, RandomSequence&) const override {
    if (part.height == size_ && part.width == size_) return;
    Image framed(size_, size_);
    const std::int64_t left = (size_ - part.width) / 2, top = (size_ - part.height) / 2;
    for (std::int64_t y = 0; y < part.height; ++y)
      std::memcpy(framed.row(top + y) + 3 * left, part.row(y),
                  static_cast<std::size_t>(part.row_bytes()));
    part = std::move(framed);
  }

 private:
  /// Where to begin on a side of that length, and how much of it to take.
  std::pair<std::int64_t, std::int64_t> middle(std::int64_t side) const {
    if (side <= size_) return {0, side};
    const double half = static_cast<double>(side - size_) / 2;
    return {static_cast<std::int64_t>(std::nearbyint(half)), size_};
  }

  std::int64_t size_;
};

const Register<Transform, CenterCrop> center_crop_transform{{
    .name = "center_crop",
    .summary = "cuts a square out of the middle, with a black border where the picture is smaller",
}};

}  // namespace
}  // namespace dml
