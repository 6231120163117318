#pragma once
#include <cstdint>
#include <string>

namespace dml {

/// What a loss needs of a batch. The trainer compares it with what the sampler gives before the
/// first image is read.
struct Requirements {
  std::int64_t images_per_class = 1;  ///< of every class that occurs in a batch, at least
  std::int64_t classes = 1;           ///< different classes in a batch, at least
  bool training_set = false;          ///< before_epoch reads the embeddings of the training set
  /// It compares the images of a batch with each other: one that is alone of its class there has no
  /// positive. The batch may hold such; when many are, the run is warned.
  bool pairs = false;
  bool one_part = false;  ///< a batch comes from one of the parts that the loss makes
};

/// What a sampler promises of each of its batches.
struct Guarantee {
  std::int64_t images_per_class = 1;  ///< of every class that occurs in a batch, at least
  std::int64_t classes = 1;           ///< different classes in a batch, at least
  bool one_part = false;              ///< its images are of one part, where the loss makes parts
};

/// @throws UsageError that names both and says what to change, when `given` is not enough.
void require(const Requirements& needed, const std::string& loss, const Guarantee& given,
             const std::string& sampler);

}  // namespace dml
