#include <fmt/core.h>

#include <algorithm>

#include "dml/samplers/draws.hpp"

namespace dml {
namespace {

/// Triplets that are drawn once, before the first epoch, and come in another order in every epoch.
class FixedTriplets final : public Sampler {
 public:
  struct Options {
    std::int64_t count = 1000;
    static constexpr std::tuple fields{
        field("count", &Options::count, "how many triplets there are", {1, 1e9})};
  };
  FixedTriplets(Options options, const Setup& setup)
      : seed_(setup.seed),
        images_(std::ssize(setup.labels)),
        size_(setup.batch_size != 0 ? setup.batch_size : 96) {
    if (size_ % 3 != 0)
      throw UsageError(fmt::format(
          "a batch of {} holds no whole number of triplets\n  take a multiple of 3", size_));
    draw(images_by_class(setup.labels), options.count);
  }
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    std::vector<std::vector<std::int64_t>> order = triplets_;
    RandomSequence(stream(seed_, epoch)).shuffle(order);
    std::vector<std::vector<std::int64_t>> plan;
    for (const auto& triplet : order) {
      if (plan.empty() || std::ssize(plan.back()) == size_) plan.emplace_back();
      plan.back().insert(plan.back().end(), triplet.begin(), triplet.end());
    }
    return plan;
  }
  std::int64_t batch_size() const override { return size_; }
  std::string epoch_meaning() const override {
    return fmt::format(
        "the {} triplets that were drawn once, each as anchor, positive, negative in a row; the "
        "last batch may be smaller; other images are never shown",
        triplets_.size());
  }
  Guarantee guarantee() const override { return {.images_per_class = 1, .classes = 2}; }

 private:
  void draw(const std::vector<std::vector<std::int64_t>>& classes, std::int64_t count) {
    std::vector<std::int64_t> with_pair;
    for (std::size_t c = 0; c < classes.size(); ++c)
      if (classes[c].size() > 1) with_pair.push_back(static_cast<std::int64_t>(c));
    if (with_pair.empty() || classes.size() < 2)
      throw UsageError(
          "a triplet needs a class of two images and another class; the training set has none");
    RandomSequence random(Random(seed_, Purpose::mine));
    for (std::int64_t t = 0; t < count; ++t) {
      const auto own = static_cast<std::size_t>(with_pair[random.below(with_pair.size())]);
      auto other = static_cast<std::size_t>(random.below(classes.size() - 1));
      if (other >= own) ++other;
      std::vector<std::int64_t> triplet = draw_images(classes[own], 2, random);
      triplet.push_back(classes[other][random.below(classes[other].size())]);
      triplets_.push_back(std::move(triplet));
    }
  }

  std::uint64_t seed_;
  std::int64_t images_, size_;
  std::vector<std::vector<std::int64_t>> triplets_;
};

const Register<Sampler, FixedTriplets> fixed_triplets_sampler{{
    .name = "fixed_triplets",
    .summary = "a fixed set of triplets, in another order every epoch",
    .paper = "Musgrave et al., PyTorch Metric Learning, arXiv 2008.09164",
    .aliases = {"fixed_set_of_triplets"},
}};

}  // namespace
}  // namespace dml
