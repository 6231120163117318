#include <fmt/core.h>

#include <algorithm>

#include "dml/revisiting/paper.hpp"
#include "dml/samplers/draws.hpp"

namespace dml {
namespace {

/// Whole batches that the training set fills; at least 1.
std::int64_t whole_batches(const Sampler::Setup& setup, std::int64_t size) {
  return std::max<std::int64_t>(1, std::ssize(setup.labels) / size);
}

const std::vector<std::int64_t>& any_class(const std::vector<std::vector<std::int64_t>>& classes,
                                           RandomSequence& random) {
  return classes[random.below(classes.size())];
}

std::int64_t any_image(const std::vector<std::int64_t>& members, RandomSequence& random) {
  return members[random.below(members.size())];
}

/// Classes and images drawn with replacement: a class may come twice in a batch, and an image may
/// be its own positive.
class ClassRandom final : public Sampler {
 public:
  struct Options {
    std::int64_t images = 2;
    static constexpr std::tuple fields{
        field("images", &Options::images, "images of each draw of a class", {1, 1e6})};
  };
  ClassRandom(Options options, const Setup& setup)
      : seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    shape_ = batch_shape(setup, options.images, 0, 112, std::ssize(classes_), false);
    batches_ = whole_batches(setup, shape_.size());
  }
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch));
    std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(batches_));
    for (auto& batch : plan)
      for (std::int64_t draw = 0; draw < shape_.classes; ++draw) {
        const auto& members = any_class(classes_, random);
        for (std::int64_t i = 0; i < shape_.images; ++i)
          batch.push_back(any_image(members, random));
      }
    return plan;
  }
  std::int64_t batch_size() const override { return shape_.size(); }
  std::string epoch_meaning() const override {
    return fmt::format(
        "{} batches of {} random classes with {} random images each, both with replacement; chance "
        "decides which images are shown",
        batches_, shape_.classes, shape_.images);
  }
  Guarantee guarantee() const override { return {.images_per_class = shape_.images}; }

 private:
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
  BatchShape shape_;
  std::int64_t batches_ = 0;
};

/// Random images, the last being of the class of another one, so that there is a positive pair.
class FullRandom final : public Sampler {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  FullRandom(Options, const Setup& setup)
      : seed_(setup.seed),
        labels_(setup.labels),
        classes_(images_by_class(setup.labels)),
        size_(setup.batch_size != 0 ? setup.batch_size : 112) {
    if (size_ < 2)
      throw UsageError(fmt::format("a batch of {} holds no pair; at least 2 are needed", size_));
    for (std::size_t c = 0; c < classes_.size(); ++c)
      for (const std::int64_t i : classes_[c]) place_[i] = c;
    batches_ = whole_batches(setup, size_);
  }
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch));
    std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(batches_));
    for (auto& batch : plan) {
      for (std::int64_t i = 0; i + 1 < size_; ++i)
        batch.push_back(any_image(any_class(classes_, random), random));
      const std::int64_t partner = any_image(batch, random);
      batch.push_back(any_image(classes_[place_.at(partner)], random));
    }
    return plan;
  }
  std::int64_t batch_size() const override { return size_; }
  std::string epoch_meaning() const override {
    return fmt::format(
        "{} batches of {} draws of a class and an image of it, one of them a second of a class in "
        "the batch; chance decides which images are shown",
        batches_, size_);
  }

 private:
  std::uint64_t seed_;
  std::vector<std::int64_t> labels_;
  std::vector<std::vector<std::int64_t>> classes_;
  std::map<std::int64_t, std::size_t> place_;
  std::int64_t size_;
  std::int64_t batches_ = 0;
};

/// Different classes, images drawn with replacement.
class BalancedSampler final : public Sampler {
 public:
  struct Options {
    std::int64_t images = 4;
    static constexpr std::tuple fields{
        field("images", &Options::images, "images of each class in a batch", {1, 1e6})};
  };
  BalancedSampler(Options options, const Setup& setup)
      : seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    shape_ = batch_shape(setup, options.images, 0, 32, std::ssize(classes_), true);
    batches_ = whole_batches(setup, shape_.size());
  }
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    RandomSequence random(stream(seed_, epoch));
    std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(batches_));
    for (auto& batch : plan)
      for (const std::int64_t c : draw_distinct(std::ssize(classes_), shape_.classes, random))
        for (std::int64_t i = 0; i < shape_.images; ++i)
          batch.push_back(any_image(classes_[static_cast<std::size_t>(c)], random));
    return plan;
  }
  std::int64_t batch_size() const override { return shape_.size(); }
  std::string epoch_meaning() const override {
    return fmt::format(
        "{} batches of {} different random classes with {} images each, drawn with replacement; "
        "chance decides which images are shown",
        batches_, shape_.classes, shape_.images);
  }
  Guarantee guarantee() const override {
    return {.images_per_class = shape_.images, .classes = shape_.classes};
  }

 private:
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
  BatchShape shape_;
  std::int64_t batches_ = 0;
};

const Register<Sampler, ClassRandom> class_random{{
    .name = "class_random",
    .summary = "random classes with random images each, both with replacement",
    .paper = revisiting::paper,
    .details = "an image may occur twice in a batch, and a class as well",
}};
const Register<Sampler, FullRandom> full_random{{
    .name = "full_random",
    .summary = "random images, at least two of them of one class",
    .paper = revisiting::paper,
    .details = "each draw: a uniform class, then a uniform image of it",
}};
const Register<Sampler, BalancedSampler> balanced{{
    .name = "balanced",
    .summary = "different random classes with images drawn with replacement",
    .paper = "Kim et al., Proxy Anchor Loss for Deep Metric Learning, CVPR 2020 (option IPC)",
    .aliases = {"ipc"},
}};

}  // namespace
}  // namespace dml
