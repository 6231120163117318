#include "dml/samplers/group.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "dml/sampler.hpp"

namespace dml {

std::vector<std::vector<std::int64_t>> group_chunks(std::vector<std::vector<std::int64_t>> classes,
                                                    std::int64_t images_per_class) {
  std::size_t largest = 0;
  for (const auto& list : classes) largest = std::max(largest, list.size());
  const auto length = static_cast<std::size_t>(images_per_class);
  std::vector<std::vector<std::int64_t>> chunks;
  for (auto& list : classes) {
    const std::size_t own = list.size();
    const std::size_t copied = std::min(own, largest - own + 1);
    for (std::size_t i = 0; i < copied; ++i) list.push_back(list[i]);
    for (std::size_t first = 0; first + length <= list.size(); first += length)
      chunks.emplace_back(list.begin() + static_cast<std::ptrdiff_t>(first),
                          list.begin() + static_cast<std::ptrdiff_t>(first + length));
  }
  return chunks;
}

std::vector<std::vector<std::int64_t>> join_chunks(
    const std::vector<std::vector<std::int64_t>>& chunks, std::int64_t classes_per_batch) {
  const auto count = static_cast<std::size_t>(classes_per_batch);
  std::vector<std::vector<std::int64_t>> batches;
  for (std::size_t first = 0; first + count <= chunks.size(); first += count) {
    std::vector<std::int64_t>& batch = batches.emplace_back();
    for (std::size_t c = first; c < first + count; ++c)
      batch.insert(batch.end(), chunks[c].begin(), chunks[c].end());
  }
  return batches;
}

namespace {

/// The batches of the published Group Loss code: chunks of one class each, all classes' chunks in
/// one random order, so that a class can fill two chunks of a batch.
class GroupSampler final : public Sampler {
 public:
  struct Options {
    std::int64_t classes = 6;
    std::int64_t images = 9;
    static constexpr std::tuple fields{
        field("classes", &Options::classes, "chunks in a batch, each of one class", {1, 1e6}),
        field("images", &Options::images, "images in a chunk", {1, 1e6}),
    };
  };

  GroupSampler(Options options, const Setup& setup)
      : options_(options), seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    const std::int64_t size = options_.classes * options_.images;
    if (setup.batch_size != 0 && setup.batch_size != size)
      throw UsageError(
          fmt::format("a batch of {} was asked for, {} classes times {} images make {}\n"
                      "  leave out the batch size, or set sampler.classes and sampler.images",
                      setup.batch_size, options_.classes, options_.images, size));
    if (plan(0).empty())
      throw UsageError(fmt::format(
          "the training set gives no batch of {} chunks of {} images: {} classes, the largest of "
          "{}\n  set sampler.classes and sampler.images to smaller numbers",
          options_.classes, options_.images, classes_.size(), largest()));
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    const Random random = stream(seed_, epoch);
    std::vector<std::vector<std::int64_t>> classes = classes_;
    for (std::size_t c = 0; c < classes.size(); ++c)
      RandomSequence(random.split(c + 1)).shuffle(classes[c]);
    auto chunks = group_chunks(std::move(classes), options_.images);
    RandomSequence(random.split(0)).shuffle(chunks);
    return join_chunks(chunks, options_.classes);
  }

  std::int64_t batch_size() const override { return options_.classes * options_.images; }
  std::string epoch_meaning() const override {
    return "every class cut into chunks, small classes up to twice; incomplete chunks and the "
           "incomplete last batch are left out";
  }
  // Several chunks of a batch may be of one class, so two different classes are not promised. A
  // small class may hold an image twice, so two different images are not promised either.
  Guarantee guarantee() const override { return {.images_per_class = options_.images}; }

 private:
  std::size_t largest() const {
    std::size_t most = 0;
    for (const auto& list : classes_) most = std::max(most, list.size());
    return most;
  }

  Options options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
};

const Register<Sampler, GroupSampler> group_sampler{{
    .name = "group",
    .summary = "random chunks of one class each, as in the published Group Loss code",
    .paper = "Elezi et al., The Group Loss for Deep Metric Learning, ECCV 2020",
    .details = "a class may fill two chunks of a batch, and a small class may show an image twice",
}};

}  // namespace
}  // namespace dml
