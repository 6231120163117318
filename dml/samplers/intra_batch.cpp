#include "dml/samplers/intra_batch.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "dml/sampler.hpp"
#include "dml/samplers/group.hpp"

namespace dml {
namespace {

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(n));
  std::iota(list.begin(), list.end(), std::int64_t{0});
  return list;
}

/// `count` different places of a list of n, at random.
std::vector<std::int64_t> drawn(std::int64_t n, std::int64_t count, const ChunkChoices& choices) {
  std::vector<std::int64_t> places = counted(n);
  choices.shuffle(places);
  places.resize(static_cast<std::size_t>(std::min(n, count)));
  return places;
}

}  // namespace

std::vector<std::vector<std::int64_t>> intra_batch_chunks(std::vector<std::int64_t> list,
                                                          std::int64_t images,
                                                          const ChunkChoices& choices) {
  const auto size = [&] { return static_cast<std::int64_t>(list.size()); };
  choices.shuffle(list);
  const std::int64_t own = size();
  while (size() < images) list.push_back(list[static_cast<std::size_t>(choices.pick(own))]);
  const std::int64_t length = size();
  const std::int64_t missing = (length / images + 1) * images - length;
  for (const std::int64_t place : drawn(length, missing, choices))
    list.push_back(list[static_cast<std::size_t>(place)]);
  std::vector<std::vector<std::int64_t>> chunks;
  for (auto first = list.begin(); first != list.end(); first += images)
    chunks.emplace_back(first, first + images);
  return chunks;
}

std::vector<std::vector<std::int64_t>> intra_batch_batches(
    const std::vector<std::vector<std::int64_t>>& chunks, std::int64_t classes,
    const ChunkChoices& choices) {
  const auto count = static_cast<std::int64_t>(chunks.size());
  std::vector<std::int64_t> order = counted(count);
  choices.shuffle(order);
  // Of fewer chunks than a batch holds, some must come more than once.
  while (static_cast<std::int64_t>(order.size()) % classes != 0) {
    const std::int64_t missing = classes - static_cast<std::int64_t>(order.size()) % classes;
    for (const std::int64_t place : drawn(count, missing, choices))
      order.push_back(order[static_cast<std::size_t>(place)]);
  }
  std::vector<std::vector<std::int64_t>> ordered;
  for (const std::int64_t one : order) ordered.push_back(chunks[static_cast<std::size_t>(one)]);
  return join_chunks(ordered, classes);
}

std::vector<std::int64_t> class_counts(std::int64_t size) {
  std::vector<std::int64_t> counts;
  for (std::int64_t d = 2; d <= size / 2; ++d)
    if (size % d == 0) counts.push_back(d);
  return counts;
}

namespace {

/// The batches of the published code of intra-batch connections.
class IntraBatchSampler final : public Sampler {
 public:
  struct Options {
    std::int64_t classes = 6;
    std::int64_t images = 9;
    bool vary = false;
    static constexpr std::tuple fields{
        field("classes", &Options::classes, "chunks in a batch, each of one class", {1, 1e6}),
        field("images", &Options::images, "images in a chunk", {1, 1e6}),
        field("vary", &Options::vary,
              "every epoch draws another number of classes among those that divide the batch; its "
              "size stays (NumberSampler)"),
    };
  };

  IntraBatchSampler(Options options, const Setup& setup)
      : options_(options), seed_(setup.seed), classes_(images_by_class(setup.labels)) {
    if (setup.batch_size != 0 && setup.batch_size != batch_size())
      throw UsageError(
          fmt::format("a batch of {} was asked for, {} classes times {} images make {}\n"
                      "  leave out the batch size, or set sampler.classes and sampler.images",
                      setup.batch_size, options_.classes, options_.images, batch_size()));
    if (options_.vary && class_counts(batch_size()).empty())
      throw UsageError(fmt::format(
          "a batch of {} images cannot be divided into 2 or more classes of 2 or more images\n"
          "  set vary = false, or sampler.classes and sampler.images to other numbers",
          batch_size()));
    if (classes_.empty()) throw UsageError("the training set is empty");
  }

  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const override {
    const Random random = stream(seed_, epoch);
    RandomSequence sequence(random.split(0));
    std::int64_t classes = options_.classes;
    if (options_.vary) {
      const std::vector<std::int64_t> counts = class_counts(batch_size());
      classes = counts[sequence.below(counts.size())];
    }
    const ChunkChoices choices{
        [&](std::vector<std::int64_t>& list) { sequence.shuffle(list); },
        [&](std::int64_t n) {
          return static_cast<std::int64_t>(sequence.below(static_cast<std::uint64_t>(n)));
        }};
    std::vector<std::vector<std::int64_t>> chunks;
    for (const auto& list : classes_)
      for (auto& chunk : intra_batch_chunks(list, batch_size() / classes, choices))
        chunks.push_back(std::move(chunk));
    return intra_batch_batches(chunks, classes, choices);
  }

  std::int64_t batch_size() const override { return options_.classes * options_.images; }
  std::string epoch_meaning() const override {
    return "every image at least once: classes are filled up to whole chunks, and chunks to whole "
           "batches";
  }
  // A class may fill several chunks, and the last chunk of a class may repeat an image.
  Guarantee guarantee() const override {
    return {.images_per_class = options_.vary ? 2 : options_.images};
  }

 private:
  Options options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;
};

const Register<Sampler, IntraBatchSampler> intra_batch_sampler{{
    .name = "intra_batch",
    .summary = "random chunks of one class each, every image at least once",
    .paper = "Seidenschwarz et al., Learning Intra-Batch Connections for Deep Metric Learning, "
             "ICML 2021",
    .details = "as the published code: a class whose size is a multiple of the chunk gets a whole "
               "chunk more, and a class may fill two chunks of a batch",
}};

}  // namespace
}  // namespace dml
