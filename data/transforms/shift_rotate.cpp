#include <numbers>

#include "data/image/warp.hpp"

namespace dml {
namespace {

/// Moves and turns the picture at random.
class ShiftRotate final : public Transform {
 public:
  struct Options {
    double probability = 0.5;
    double shift = 0.0625;
    double degrees = 45;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1}),
        field("shift", &Options::shift, "at most, as a share of the picture's sides", {0, 1}),
        field("degrees", &Options::degrees, "at most, to either side", {0, 180}),
    };
  };

  ShiftRotate(Options options, const Setup&) : options_(options) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() >= options_.probability) return;
    const double angle = random.uniform(-options_.degrees, options_.degrees);
    const double right = random.uniform(-options_.shift, options_.shift);
    const double down = random.uniform(-options_.shift, options_.shift);
    part = turned(part, angle * std::numbers::pi / 180, right * static_cast<double>(part.width),
                  down * static_cast<double>(part.height));
  }

 private:
  Options options_;
};

const Register<Transform, ShiftRotate> shift_rotate_transform{{
    .name = "shift_rotate",
    .summary = "moves and turns the picture, every second time by default; edges are mirrored",
}};

}  // namespace
}  // namespace dml
