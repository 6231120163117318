#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "dml/samplers/draws.hpp"

namespace dml {
namespace {

/// The sampler of that name of PyTorch Metric Learning: different classes in every batch, drawn
/// anew for each, so that chance decides which classes an epoch shows.
class MPerClass final : public Sampler {
 public:
  struct Options {
    std::int64_t images = 4;
    std::int64_t classes = 0;
    std::int64_t length = 100000;
    std::string cover = "batch";
    static constexpr std::tuple fields{
        field("images", &Options::images, "m: images of each class in a batch", {1, 1e6}),
        field("classes", &Options::classes, "classes in a batch; 0: batch size divided by images",
              {0, 1e6}),
        field("length", &Options::length, "images in an epoch, cut to whole batches", {1, 1e12}),
        field("cover", &Options::cover,
              "batch: the classes of a batch are drawn anew each time; classes: a shuffled list of "
              "all classes is used up before it is shuffled again",
              "batch|classes"),
    };
  };

  MPerClass(Options options, const Setup& setup)
      : options_(std::move(options)), seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    shape_ = batch_shape(setup, options_.images, options_.classes, 32, std::ssize(classes_), true);
    batches_ = options_.length / shape_.size();
    if (batches_ == 0)
      throw UsageError(
          fmt::format("length = {} is less than a batch of {}", options_.length, shape_.size()));
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    const Random random = stream(seed_, epoch);
    RandomSequence of_classes(random.split(0)), of_images(random.split(1));
    std::vector<std::int64_t> deck;
    std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(batches_));
    for (auto& batch : plan)
      for (const std::int64_t c : hand(deck, of_classes)) {
        const auto drawn =
            draw_images(classes_[static_cast<std::size_t>(c)], shape_.images, of_images);
        batch.insert(batch.end(), drawn.begin(), drawn.end());
      }
    return plan;
  }

  std::int64_t batch_size() const override { return shape_.size(); }
  std::string epoch_meaning() const override {
    return fmt::format("{} batches of {} classes with {} random images each; {}", batches_,
                       shape_.classes, shape_.images,
                       options_.cover == "classes" ? "every class comes before any comes again"
                                                   : "chance decides which classes are shown");
  }
  Guarantee guarantee() const override {
    return {.images_per_class = shape_.images, .classes = shape_.classes};
  }

 private:
  /// The classes of the next batch, all different.
  std::vector<std::int64_t> hand(std::vector<std::int64_t>& deck, RandomSequence& random) const {
    const std::int64_t all = std::ssize(classes_);
    if (options_.cover == "batch") return draw_distinct(all, shape_.classes, random);
    std::vector<std::int64_t> drawn;
    while (std::ssize(drawn) < shape_.classes) {
      if (deck.empty()) refill(deck, drawn, random);
      drawn.push_back(deck.back());
      deck.pop_back();
    }
    return drawn;
  }

  /// A new deck, in which the classes that the batch under way holds come last.
  void refill(std::vector<std::int64_t>& deck, const std::vector<std::int64_t>& held,
              RandomSequence& random) const {
    deck = draw_distinct(std::ssize(classes_), std::ssize(classes_), random);
    std::stable_partition(deck.begin(), deck.end(), [&](std::int64_t c) {
      return std::find(held.begin(), held.end(), c) != held.end();
    });
  }

  Options options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
  BatchShape shape_;
  std::int64_t batches_ = 0;
};

const Register<Sampler, MPerClass> m_per_class_sampler{{
    .name = "m_per_class",
    .summary = "different random classes with m random images each",
    .paper = "Musgrave et al., PyTorch Metric Learning, arXiv 2008.09164",
    .details = "a class of fewer than m images shows some twice",
}};

}  // namespace
}  // namespace dml
