#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.hpp"
#include "data/transform.hpp"
#include "engine/preprocessing.hpp"
#include "engine/tensor.hpp"

namespace dml {

/// The batches of one epoch: for each, the indices of its images; an image may occur repeatedly.
using BatchPlan = std::vector<std::vector<std::int64_t>>;

/// 0..images-1 in order, `batch` at a time; the last batch may be smaller.
BatchPlan consecutive(std::int64_t images, std::int64_t batch);

/// Images that are ready for a net.
struct Batch {
  Tensor images;                      ///< [n, h, w, 3], f32, host, in the net's channel order
  std::vector<std::int64_t> labels;   ///< Item::label of each
  std::vector<std::int64_t> indices;  ///< which item each is
};

/// Decodes, transforms and normalises images in the background. What it yields depends on
/// (seed, epoch, index of the image, how often it came before in the epoch) alone: the number of
/// workers changes nothing but the speed.
class Loader {
 public:
  struct Options {
    std::int64_t workers = 0;  ///< threads; 0 decodes in the thread that calls next()
    std::int64_t ahead = 4;    ///< batches that are prepared before they are asked for, at most
    std::uint64_t seed = 0;
  };

  Loader(std::vector<Item> items, Pipeline pipeline, Preprocessing preprocessing, Options options);
  /// Waits for the images in work and joins the workers.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const std::vector<Item>& items() const;

  /// Begins an epoch; what is left of the last one is dropped.
  /// @param skip  batches of the plan that are not wanted (a run that goes on in mid-epoch).
  /// @throws ShapeError when the plan names an image that is not there.
  void start(const BatchPlan& plan, std::int64_t epoch, std::int64_t skip = 0);

  /// The next batch of the plan; none after the last. Its memory is used again as soon
  /// as no tensor stands on it. A batch of no images has an undefined tensor.
  /// @throws whatever a worker met (DataError naming the file), at the batch that it belongs to,
  ///   the first image in plan order; the epoch is over then. ShapeError when the pictures of a
  ///   batch differ in size.
  std::optional<Batch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dml
