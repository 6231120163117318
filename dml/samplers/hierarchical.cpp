#include <fmt/core.h>

#include <algorithm>

#include "dml/samplers/draws.hpp"

namespace dml {
namespace {

/// Batches of a few groups of classes (super-classes): for every combination of groups so many
/// batches, each with an equal share of every group.
class Hierarchical final : public Sampler {
 public:
  struct Options {
    std::int64_t images = 4;
    std::int64_t batches_per_super_tuple = 4;
    std::int64_t super_classes_per_batch = 2;
    static constexpr std::tuple fields{
        field("images", &Options::images, "images of each class", {1, 1e6}),
        field("batches_per_super_tuple", &Options::batches_per_super_tuple,
              "batches of each combination of super-classes", {1, 1e6}),
        field("super_classes_per_batch", &Options::super_classes_per_batch,
              "super-classes in a batch", {1, 64}),
    };
  };

  Hierarchical(Options options, const Setup& setup)
      : options_(options), seed_(setup.seed), size_(setup.batch_size != 0 ? setup.batch_size : 32) {
    if (setup.groups.empty())
      throw UsageError(
          "the dataset knows no super-classes\n  they are folders that hold several classes (sop, "
          "inshop); take such a dataset, or another sampler");
    share_ = size_ / options_.super_classes_per_batch;
    if (size_ % options_.super_classes_per_batch != 0 || share_ < options_.images)
      throw UsageError(fmt::format(
          "a batch of {} cannot be shared by {} super-classes with {} images of a class each",
          size_, options_.super_classes_per_batch, options_.images));
    read_groups(setup);
    if (std::ssize(groups_) < options_.super_classes_per_batch)
      throw UsageError(
          fmt::format("{} super-classes in a batch were asked for, the training set has {}",
                      options_.super_classes_per_batch, groups_.size()));
    combine(0, {});
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch));
    std::vector<std::vector<std::int64_t>> plan;
    for (const auto& groups : combinations_)
      for (std::int64_t b = 0; b < options_.batches_per_super_tuple; ++b) {
        std::vector<std::int64_t> batch;
        for (const std::size_t group : groups) add_share(groups_[group], batch, random);
        random.shuffle(batch);
        plan.push_back(std::move(batch));
      }
    random.shuffle(plan);
    return plan;
  }
  std::int64_t batch_size() const override { return size_; }
  std::string epoch_meaning() const override {
    return fmt::format(
        "{} batches for each of the {} combinations of {} super-classes, random classes of each "
        "with {} random images; a batch is smaller where a super-class cannot fill its share; "
        "chance decides which images are shown",
        options_.batches_per_super_tuple, combinations_.size(), options_.super_classes_per_batch,
        options_.images);
  }
  Guarantee guarantee() const override {
    return {.images_per_class = options_.images, .classes = options_.super_classes_per_batch};
  }

 private:
  using Group = std::vector<std::vector<std::int64_t>>;  // images by class

  void read_groups(const Setup& setup) {
    std::map<std::int64_t, std::map<std::int64_t, std::vector<std::int64_t>>> all;
    for (std::size_t i = 0; i < setup.labels.size(); ++i)
      all[setup.groups[i]][setup.labels[i]].push_back(static_cast<std::int64_t>(i));
    for (auto& [group, classes] : all) {
      Group& lists = groups_.emplace_back();
      for (auto& [label, images] : classes) lists.push_back(std::move(images));
    }
  }

  void combine(std::size_t first, const std::vector<std::size_t>& chosen) {
    if (std::ssize(chosen) == options_.super_classes_per_batch) {
      combinations_.push_back(chosen);
      return;
    }
    for (std::size_t group = first; group < groups_.size(); ++group) {
      std::vector<std::size_t> more = chosen;
      more.push_back(group);
      combine(group + 1, more);
    }
  }

  /// Random classes of a group, as many as fit into its share of the batch.
  void add_share(const Group& group, std::vector<std::int64_t>& batch,
                 RandomSequence& random) const {
    const std::int64_t fitting = std::min(share_ / options_.images, std::ssize(group));
    for (const std::int64_t c : draw_distinct(std::ssize(group), fitting, random)) {
      const auto drawn = draw_images(group[static_cast<std::size_t>(c)], options_.images, random);
      batch.insert(batch.end(), drawn.begin(), drawn.end());
    }
  }

  Options options_;
  std::uint64_t seed_;
  std::int64_t size_, share_ = 0;
  std::vector<Group> groups_;
  std::vector<std::vector<std::size_t>> combinations_;
};

const Register<Sampler, Hierarchical> hierarchical_sampler{{
    .name = "hierarchical",
    .summary = "classes of two (or more) super-classes in every batch",
    .paper = "Cakir et al., Deep Metric Learning to Rank, CVPR 2019",
    .details = "the number of batches grows with the number of combinations of super-classes; a "
               "class of fewer images than asked for shows some twice",
}};

}  // namespace
}  // namespace dml
