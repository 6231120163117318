#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace dml {

/// The random choices of the sampler of intra-batch connections; tests replace them by fixed ones.
struct ChunkChoices {
  /// Puts a list in random order.
  std::function<void(std::vector<std::int64_t>&)> shuffle;
  /// One of 0 .. n - 1.
  std::function<std::int64_t(std::int64_t n)> pick;
};

/// One class of the published sampler: the shuffled list, filled up to `images` by repeats of its
/// own members, then extended to the next multiple of `images` above its length by members drawn
/// without replacement (a list that is a multiple already gets a whole further chunk), cut.
std::vector<std::vector<std::int64_t>> intra_batch_chunks(std::vector<std::int64_t> list,
                                                          std::int64_t images,
                                                          const ChunkChoices& choices);

/// The chunks of all classes as batches of `classes` chunks, in random order; where their number is
/// no multiple, chunks drawn without replacement come again at the end.
std::vector<std::vector<std::int64_t>> intra_batch_batches(
    const std::vector<std::vector<std::int64_t>>& chunks, std::int64_t classes,
    const ChunkChoices& choices);

/// The numbers of classes that divide a batch: divisors d of `size` with 2 <= d <= size / 2.
std::vector<std::int64_t> class_counts(std::int64_t size);

}  // namespace dml
