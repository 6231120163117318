#include <fmt/core.h>

#include <algorithm>

#include "dml/loss.hpp"
#include "dml/retrieval/search.hpp"
#include "dml/samplers/draws.hpp"
#include "dml/samplers/tuple_weights.hpp"

namespace dml {
namespace {

/// Before every epoch a random part of the training set is mined; images are drawn by how often
/// they occur in the tuples.
class TuplesToWeights final : public Sampler {
 public:
  struct Options {
    std::int64_t subset_size = 1000;
    std::string miner = "triplet_margin";
    double margin = 0.2;
    double epsilon = 0.1;
    static constexpr std::tuple fields{
        field("subset_size", &Options::subset_size,
              "images that are mined, and images drawn in an epoch", {2, 1e6}),
        field("miner", &Options::miner,
              "triplet_margin: triplets with d(a, n) - d(a, p) <= margin; multi_similarity: pairs "
              "that are harder than the hardest of the other kind, less epsilon",
              "triplet_margin|multi_similarity"),
        field("margin", &Options::margin, "of triplet_margin", {-4, 4}),
        field("epsilon", &Options::epsilon, "of multi_similarity", {-2, 2}),
    };
  };

  TuplesToWeights(Options options, const Setup& setup)
      : options_(std::move(options)),
        seed_(setup.seed),
        images_(std::ssize(setup.labels)),
        size_(setup.batch_size != 0 ? setup.batch_size : 32) {
    options_.subset_size = std::min(options_.subset_size, images_);
    if (size_ > options_.subset_size)
      throw UsageError(
          fmt::format("a batch of {} is more than the {} images of an epoch\n  take a larger "
                      "subset_size",
                      size_, options_.subset_size));
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch).split(1));
    std::vector<std::vector<std::int64_t>> plan(
        static_cast<std::size_t>(options_.subset_size / size_));
    for (auto& batch : plan)
      for (std::int64_t i = 0; i < size_; ++i)
        batch.push_back(weights_.empty() ? static_cast<std::int64_t>(
                                               random.below(static_cast<std::uint64_t>(images_)))
                                         : draw_weighted(weights_, random));
    return plan;
  }
  std::int64_t batch_size() const override { return size_; }
  std::string epoch_meaning() const override {
    return fmt::format(
        "{} batches of {} images out of {} random ones, drawn with replacement by how often they "
        "occur in the tuples of miner {}; the others are not shown",
        options_.subset_size / size_, size_, options_.subset_size, options_.miner);
  }
  bool embeddings_needed() const override { return true; }

  void before_epoch(EpochView& view) override {
    RandomSequence random(stream(seed_, view.epoch()).split(0));
    const std::vector<std::int64_t> subset = draw_distinct(images_, options_.subset_size, random);
    const Points units = Points::of(unit_rows(view.embeddings()), subset);
    std::vector<std::int64_t> classes;
    for (const std::int64_t i : subset)
      classes.push_back(view.labels()[static_cast<std::size_t>(i)]);
    std::vector<double> count = options_.miner == "triplet_margin"
                                    ? count_in_triplets(units, classes, options_.margin)
                                    : count_in_similar_pairs(units, classes, options_.epsilon);
    // Without a tuple all images of the subset weigh the same.
    if (std::ranges::max(count) == 0) std::ranges::fill(count, 1.0);
    weights_.assign(static_cast<std::size_t>(images_), 0);
    for (std::size_t i = 0; i < subset.size(); ++i)
      weights_[static_cast<std::size_t>(subset[i])] = count[i];
  }

 private:
  Options options_;
  std::uint64_t seed_;
  std::int64_t images_, size_;
  std::vector<double> weights_;  // [images]; empty until there are embeddings
};

const Register<Sampler, TuplesToWeights> tuples_to_weights_sampler{{
    .name = "tuples_to_weights",
    .summary = "images drawn by how often they occur in the mined tuples of a part of the set",
    .paper = "Musgrave et al., PyTorch Metric Learning, arXiv 2008.09164",
}};

}  // namespace
}  // namespace dml
