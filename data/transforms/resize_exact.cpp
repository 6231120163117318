#include "data/image/resample.hpp"
#include "data/transform.hpp"

namespace dml {
namespace {

/// Scales to height x width whatever the aspect ratio was; 0 stands for the net's size.
class ResizeExact final : public Transform {
 public:
  struct Options {
    std::int64_t height = 0;
    std::int64_t width = 0;
    static constexpr std::tuple fields{
        field("height", &Options::height, "pixels; 0: the size that the net wants", {0, 65535}),
        field("width", &Options::width, "pixels; 0: the size that the net wants", {0, 65535})};
  };

  ResizeExact(Options options, const Setup& setup)
      : to_{options.height > 0 ? options.height : setup.size,
            options.width > 0 ? options.width : setup.size} {}

  void apply(Image& part, RandomSequence&) const override {
    if (Size{part.height, part.width} != to_) part = resize(part, to_);
  }

 private:
  Size to_;
};

const Register<Transform, ResizeExact> resize_exact_transform{{
    .name = "resize_exact",
    .summary = "scales to a height and a width; the aspect ratio may change",
}};

}  // namespace
}  // namespace dml
