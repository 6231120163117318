#include "dml/samplers/storage.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "dml/loss.hpp"
#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

/// Points times a random matrix [d, dimensions] with entries uniform in +-1/sqrt(d).
Points projected(const Points& points, std::int64_t dimensions, RandomSequence random) {
  const double bound = 1 / std::sqrt(static_cast<double>(points.d));
  std::vector<double> matrix(static_cast<std::size_t>(points.d * dimensions));
  for (double& one : matrix) one = random.uniform(-bound, bound);
  Points result{.n = points.n, .d = dimensions};
  result.values.assign(static_cast<std::size_t>(points.n * dimensions), 0);
  for (std::int64_t i = 0; i < points.n; ++i)
    for (std::int64_t c = 0; c < points.d; ++c)
      for (std::int64_t k = 0; k < dimensions; ++k)
        result.values[static_cast<std::size_t>(i * dimensions + k)] +=
            points.row(i)[static_cast<std::size_t>(c)] *
            matrix[static_cast<std::size_t>(c * dimensions + k)];
  return result;
}

}  // namespace

StorageSampler::StorageSampler(const StorageOptions& options, const Setup& setup)
    : options_(options),
      seed_(setup.seed),
      classes_(images_by_class(setup.labels)),
      class_of_(setup.labels.size()) {
  shape_ = batch_shape(setup, options_.images, 0, 112, std::ssize(classes_), false);
  for (std::size_t c = 0; c < classes_.size(); ++c)
    for (const std::int64_t i : classes_[c])
      class_of_[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(c);
  batches_ = std::max<std::int64_t>(1, std::ssize(setup.labels) / shape_.size());
  if (options_.big_batch < shape_.size())
    throw UsageError(fmt::format(
        "a batch of {} cannot be chosen among big_batch = {} images\n  take a larger big_batch",
        shape_.size(), options_.big_batch));
}

std::vector<std::vector<std::int64_t>> StorageSampler::plan(std::int64_t epoch) const {
  const Random random = stream(seed_, epoch);
  std::vector<std::vector<std::int64_t>> plan(static_cast<std::size_t>(batches_));
  if (!stored_.defined()) {
    RandomSequence sequence(random);
    for (auto& batch : plan) batch = random_classes(shape_.classes, sequence);
    return plan;
  }
  cpu::parallel_for(cpu::max_threads(), batches_, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b)
      plan[static_cast<std::size_t>(b)] = choose(random.split(static_cast<std::uint64_t>(b)));
  });
  return plan;
}

std::string StorageSampler::epoch_meaning() const {
  return fmt::format(
      "{} batches of {} images, {} of a class, chosen by embeddings among {} random images each; "
      "chance decides which images are shown",
      batches_, shape_.size(), shape_.images, options_.big_batch);
}

void StorageSampler::before_epoch(EpochView& view) {
  if (!stored_.defined()) {
    stored_ = view.embeddings().to(DType::f32);
  } else if (options_.update == "epoch") {
    stored_ = renewed(stored_, view.embeddings().to(DType::f32));
  }
}

Tensor StorageSampler::renewed(const Tensor&, const Tensor& newer) { return newer; }

void StorageSampler::after_step(std::span<const std::int64_t> images, const Tensor& embeddings) {
  if (options_.update != "batches" || !stored_.defined()) return;
  const Tensor rows = embeddings.to(DType::f32);
  if (rows.dim(1) != stored_.dim(1))
    throw UsageError(
        fmt::format("the loss trains on embeddings of {} numbers and compares {}: they cannot take "
                    "each other's place\n  --set sampler.update=epoch",
                    rows.dim(1), stored_.dim(1)));
  for (std::size_t i = 0; i < images.size(); ++i)
    std::ranges::copy(rows.row<float>(static_cast<std::int64_t>(i)),
                      stored_.row<float>(images[i]).begin());
}

std::map<std::string, Tensor> StorageSampler::state() const {
  std::map<std::string, Tensor> state;
  if (stored_.defined()) state["stored"] = stored_.clone();
  if (momentum_.defined()) state["momentum"] = momentum_.clone();
  return state;
}

void StorageSampler::restore(const std::map<std::string, Tensor>& state) {
  const auto stored = state.find("stored");
  if (stored == state.end()) return;  // the checkpoint was written before the first epoch
  if (stored->second.dim(0) != std::ssize(class_of_))
    throw DataError(
        fmt::format("the checkpoint holds embeddings of {} images, the training set has "
                    "{}",
                    stored->second.dim(0), class_of_.size()));
  stored_ = stored->second.clone();
  const auto momentum = state.find("momentum");
  if (momentum != state.end()) momentum_ = momentum->second.clone();
}

std::vector<std::int64_t> StorageSampler::random_images(RandomSequence& random) const {
  const std::int64_t all = std::ssize(class_of_);
  return draw_distinct(all, std::min(options_.big_batch, all), random);
}

std::vector<std::int64_t> StorageSampler::random_classes(std::int64_t classes,
                                                         RandomSequence& random) const {
  std::vector<std::int64_t> images;
  for (std::int64_t draw = 0; draw < classes; ++draw) {
    const auto& members = classes_[random.below(classes_.size())];
    for (std::int64_t i = 0; i < shape_.images; ++i)
      images.push_back(members[random.below(members.size())]);
  }
  return images;
}

StorageSampler::BigBatch StorageSampler::big_batch(std::vector<std::int64_t> images,
                                                   const Random& random) const {
  Points points = Points::of(stored_, images);
  if (options_.projection > 0)
    points = projected(points, options_.projection, RandomSequence(random));
  return {std::move(images), std::move(points)};
}

std::vector<std::int64_t> StorageSampler::filled(std::vector<std::int64_t> chosen,
                                                 RandomSequence& random) const {
  const std::size_t count = chosen.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& members = classes_[static_cast<std::size_t>(class_of(chosen[i]))];
    for (std::int64_t n = 1; n < shape_.images; ++n)
      chosen.push_back(members[random.below(members.size())]);
  }
  return chosen;
}

}  // namespace dml
