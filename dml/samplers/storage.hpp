#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dml/samplers/draws.hpp"
#include "dml/samplers/points.hpp"

namespace dml {

/// Options of all samplers that choose batches by embeddings.
struct StorageOptions {
  std::int64_t images = 2;
  std::int64_t big_batch = 512;
  std::int64_t projection = 0;
  std::string update = "batches";
  static constexpr std::tuple fields{
      field("images", &StorageOptions::images, "images of each class in a batch", {1, 1e6}),
      field("big_batch", &StorageOptions::big_batch, "images among which a batch is chosen",
            {2, 1e6}),
      field("projection", &StorageOptions::projection,
            "dimensions of a random linear projection, another for every batch; 0: none", {0, 1e6}),
      field("update", &StorageOptions::update,
            "when stored embeddings change. batches: those of a batch are replaced after its step; "
            "epoch: all are computed anew before every epoch; never",
            "batches|epoch|never"),
  };
};

/// A sampler that keeps the embeddings of all training images and chooses the batches of an epoch
/// by them, at its beginning (Roth et al., ICML 2020). Until there are embeddings, batches are
/// random classes with random images.
class StorageSampler : public Sampler {
 public:
  std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const final;
  std::int64_t batch_size() const final { return shape_.size(); }
  std::string epoch_meaning() const final;
  Guarantee guarantee() const final { return {.images_per_class = shape_.images}; }
  bool embeddings_needed() const final { return true; }
  void before_epoch(EpochView& view) final;
  void after_step(std::span<const std::int64_t> images, const Tensor& embeddings) final;
  std::map<std::string, Tensor> state() const final;
  void restore(const std::map<std::string, Tensor>& state) final;

 protected:
  StorageSampler(const StorageOptions& options, const Setup& setup);

  /// Images among which a batch is chosen, and what is known of them.
  struct BigBatch {
    std::vector<std::int64_t> images;
    Points points;  ///< their stored embeddings
  };
  /// The batch of that stream.
  virtual std::vector<std::int64_t> choose(const Random& random) const = 0;
  /// Called when all embeddings are computed anew over older ones: what is stored.
  /// @param older, newer  [n, d] f32
  virtual Tensor renewed(const Tensor& older, const Tensor& newer);

  /// Random images without replacement.
  std::vector<std::int64_t> random_images(RandomSequence& random) const;
  /// `classes` random classes with `images` random images each, both with replacement.
  std::vector<std::int64_t> random_classes(std::int64_t classes, RandomSequence& random) const;
  BigBatch big_batch(std::vector<std::int64_t> images, const Random& random) const;
  /// The chosen images, then images - 1 random ones of the class of each.
  std::vector<std::int64_t> filled(std::vector<std::int64_t> chosen, RandomSequence& random) const;

  std::int64_t class_of(std::int64_t image) const {
    return class_of_[static_cast<std::size_t>(image)];
  }
  const StorageOptions& storage_options() const { return options_; }
  const BatchShape& shape() const { return shape_; }
  /// What a subclass keeps beside the embeddings; undefined when it keeps nothing.
  Tensor momentum_;

 private:
  StorageOptions options_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> classes_;  // images by place of the class
  std::vector<std::int64_t> class_of_;              // place of the class, by image
  BatchShape shape_;
  std::int64_t batches_ = 0;
  Tensor stored_;  // [images, d] f32, undefined at first
};

}  // namespace dml
