#include <fmt/format.h>

#include <algorithm>

#include "data/transform.hpp"
#include "engine/check.hpp"

namespace dml {
namespace {

/// Cuts a square of the net's size out of a random place.
class RandomCrop final : public Transform {
 public:
  struct Options {
    std::int64_t size = 0;
    static constexpr std::tuple fields{
        field("size", &Options::size, "pixels; 0: the size that the net wants", {0, 65535})};
  };

  RandomCrop(Options options, const Setup& setup)
      : size_(options.size > 0 ? options.size : setup.size) {}

  Box region(Size picture, RandomSequence& random) const override {
    DML_CHECK(std::min(picture.height, picture.width) >= size_,
              fmt::format("random_crop: a square of {0} x {0} does not fit into a picture of {1} x "
                          "{2}\n  put resize_shorter before it",
                          size_, picture.width, picture.height));
    const auto top = random.below(static_cast<std::uint64_t>(picture.height - size_ + 1));
    const auto left = random.below(static_cast<std::uint64_t>(picture.width - size_ + 1));
    return {static_cast<std::int64_t>(left), static_cast<std::int64_t>(top), size_, size_};
  }

  void apply(Image&, RandomSequence&) const override {}

 private:
  std::int64_t size_;
};

const Register<Transform, RandomCrop> random_crop_transform{{
    .name = "random_crop",
    .summary = "cuts a square out of a random place",
}};

}  // namespace
}  // namespace dml
