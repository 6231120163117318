#include "data/augment/test_view.hpp"

namespace dml {
namespace {

/// `adv` of Revisiting Deep Metric Learning: the standard augmentation with changes of colour.
class AdvAugment final : public Augment {
 public:
  struct Options {
    double min_area = 0.08;
    double flip = 0.5;
    double grey = 0.2;
    double jitter = 0.2;
    static constexpr std::tuple fields{
        field("min_area", &Options::min_area, "smallest share of the picture in a crop", {1e-4, 1}),
        field("flip", &Options::flip, "how often a picture is mirrored, 0..1", {0, 1}),
        field("grey", &Options::grey, "how often a picture loses its colours, 0..1", {0, 1}),
        field("jitter", &Options::jitter,
              "how far brightness, contrast, saturation and hue change; published: 0.2", {0, 0.5})};
  };

  AdvAugment(Options options, const Setup& setup) : options_(options), size_(setup.size) {}

  Pipeline train() const override {
    const auto text = [](double value) { return schema::text_of(value); };
    const std::string reach = text(options_.jitter);
    Pipeline pipeline;
    pipeline.then("random_resized_crop", {{"min_area", text(options_.min_area)}}, {size_});
    pipeline.then("greyscale", {{"probability", text(options_.grey)}}, {size_});
    pipeline.then("colour_jitter",
                  {{"probability", "1"},
                   {"brightness", reach},
                   {"contrast", reach},
                   {"saturation", reach},
                   {"hue", reach}},
                  {size_});
    pipeline.then("horizontal_flip", {{"probability", text(options_.flip)}}, {size_});
    return pipeline;
  }
  Pipeline test() const override { return test_view(size_); }

 private:
  Options options_;
  std::int64_t size_;
};

const Register<Augment, AdvAugment> adv_augment{{
    .name = "adv",
    .summary = "as standard, some pictures grey, all in slightly other colours",
    .paper = "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep "
             "Metric Learning, ICML 2020 (augmentation adv of the published code)",
    .aliases = {"colour", "color"},
}};

}  // namespace
}  // namespace dml
