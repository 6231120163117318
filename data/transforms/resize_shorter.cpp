#include "data/image/resample.hpp"
#include "data/transform.hpp"

namespace dml {
namespace {

/// Scales the shorter side to `to`; the longer one becomes trunc(to * long / short), as
/// torchvision's Resize(int).
class ResizeShorter final : public Transform {
 public:
  struct Options {
    std::int64_t to = 256;
    static constexpr std::tuple fields{
        field("to", &Options::to, "length of the shorter side, pixels", {1, 65535})};
  };

  ResizeShorter(Options options, const Setup&) : to_(options.to) {}

  void apply(Image& part, RandomSequence&) const override {
    const bool landscape = part.width > part.height;
    const std::int64_t shorter = landscape ? part.height : part.width;
    const std::int64_t longer = to_ * (landscape ? part.width : part.height) / shorter;
    if (shorter == to_) return;
    part = resize(part, landscape ? Size{to_, longer} : Size{longer, to_});
  }

 private:
  std::int64_t to_;
};

const Register<Transform, ResizeShorter> resize_shorter_transform{{
    .name = "resize_shorter",
    .summary = "scales the shorter side to a length and keeps the aspect ratio",
}};

}  // namespace
}  // namespace dml
