#include <fmt/core.h>

#include <algorithm>
#include <deque>

#include "dml/sampler.hpp"

namespace dml {
namespace {

/// Batches of P different classes with K images each. Classes are drawn without repetition within a
/// batch; the images of a class are dealt from a shuffled list that is shuffled anew when it is
/// used up, so that every image of a class comes before any comes again (a class of fewer than K
/// images shows some twice in a batch).
class ClassesTimesImages final : public Sampler {
 public:
  struct Options {
    std::int64_t images = 4;
    std::int64_t classes = 0;
    std::int64_t batches = 0;
    static constexpr std::tuple fields{
        field("images", &Options::images, "images of each class in a batch", {1, 1e6}),
        field("classes", &Options::classes, "classes in a batch; 0: batch size divided by images",
              {0, 1e6}),
        field("batches", &Options::batches,
              "batches in an epoch; 0: as many as whole batches fit into the training set",
              {0, 1e9}),
    };
  };

  ClassesTimesImages(Options options, const Setup& setup)
      : options_(options), seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    const std::int64_t wanted = setup.batch_size != 0 ? setup.batch_size : 32;
    if (options_.classes == 0) {
      if (wanted % options_.images != 0)
        throw UsageError(
            fmt::format("a batch of {} cannot hold {} images of every class\n"
                        "  take a batch size that is a multiple of {}",
                        wanted, options_.images, options_.images));
      options_.classes = wanted / options_.images;
    } else if (setup.batch_size != 0 && setup.batch_size != options_.classes * options_.images) {
      throw UsageError(fmt::format(
          "a batch of {} was asked for, {} classes times {} images make {}", setup.batch_size,
          options_.classes, options_.images, options_.classes * options_.images));
    }
    const auto available = static_cast<std::int64_t>(classes_.size());
    if (options_.classes > available || options_.classes < 1)
      throw UsageError(
          fmt::format("{} different classes in a batch were asked for, the training set has {}\n"
                      "  take a smaller batch or more images of each class",
                      options_.classes, available));
    if (options_.batches == 0)
      options_.batches =
          std::max<std::int64_t>(1, static_cast<std::int64_t>(setup.labels.size()) / batch_size());
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    const Random random = stream(seed_, epoch);
    Dealer<std::size_t> classes(in_order(classes_.size()), RandomSequence(random.split(0)));
    std::vector<Dealer<std::int64_t>> images;
    for (std::size_t c = 0; c < classes_.size(); ++c)
      images.emplace_back(classes_[c], RandomSequence(random.split(c + 1)));

    std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(options_.batches));
    for (auto& batch : plan)
      for (const std::size_t c : classes.deal_distinct(static_cast<std::size_t>(options_.classes)))
        for (std::int64_t i = 0; i < options_.images; ++i) batch.push_back(images[c].deal());
    return plan;
  }

  std::int64_t batch_size() const override { return options_.classes * options_.images; }
  std::string epoch_meaning() const override {
    return fmt::format("{} batches of {} classes with {} images each", options_.batches,
                       options_.classes, options_.images);
  }
  Guarantee guarantee() const override {
    return {.images_per_class = options_.images, .classes = options_.classes};
  }

 private:
  /// Deals a deck; a used-up deck is shuffled anew.
  template <class T> class Dealer {
   public:
    Dealer(std::vector<T> deck, RandomSequence random) : deck_(std::move(deck)), random_(random) {
      random_.shuffle(deck_);
    }
    T deal() {
      if (next_ == deck_.size()) refill(0);
      return deck_[next_++];
    }
    /// n different cards (n at most the size of the deck). Cards that end a deck are kept out of
    /// the same hand's share of the next.
    std::vector<T> deal_distinct(std::size_t n) {
      std::vector<T> hand;
      while (hand.size() < n) {
        if (next_ == deck_.size()) refill(hand.size());
        hand.push_back(deck_[next_++]);
      }
      return hand;
    }

   private:
    /// Shuffles; the last `held` cards dealt go to the end, so that they do not come at once.
    void refill(std::size_t held) {
      std::vector<T> rest(deck_.begin(), deck_.end() - static_cast<std::ptrdiff_t>(held));
      std::vector<T> late(deck_.end() - static_cast<std::ptrdiff_t>(held), deck_.end());
      random_.shuffle(rest);
      random_.shuffle(late);
      rest.insert(rest.end(), late.begin(), late.end());
      deck_ = std::move(rest);
      next_ = 0;
    }

    std::vector<T> deck_;
    RandomSequence random_;
    std::size_t next_ = 0;
  };

  static std::vector<std::size_t> in_order(std::size_t n) {
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    return order;
  }

  Options options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
};

const Register<Sampler, ClassesTimesImages> classes_times_images_sampler{{
    .name = "classes_times_images",
    .summary = "P different classes with K images each",
    .aliases = {"pk"},
}};

}  // namespace
}  // namespace dml
