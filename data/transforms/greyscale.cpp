#include "data/image/colour.hpp"

namespace dml {
namespace {

/// Takes the colours away with a probability.
class Greyscale final : public Transform {
 public:
  struct Options {
    double probability = 0.2;
    static constexpr std::tuple fields{
        field("probability", &Options::probability, "how often, 0..1", {0, 1})};
  };

  Greyscale(Options options, const Setup&) : probability_(options.probability) {}

  void apply(Image& part, RandomSequence& random) const override {
    if (random.uniform() < probability_) make_grey(part);
  }

 private:
  double probability_;
};

const Register<Transform, Greyscale> greyscale_transform{{
    .name = "greyscale",
    .summary = "takes the colours away, every fifth time by default",
    .aliases = {"grayscale"},
}};

}  // namespace
}  // namespace dml
