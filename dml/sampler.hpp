#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dml/requirements.hpp"
#include "engine/random.hpp"
#include "engine/registry.hpp"
#include "engine/tensor.hpp"

namespace dml {

class EpochView;

/// Says which images make the batches of an epoch.
class Sampler {
 public:
  static constexpr const char* kind = "sampler";

  /// What there is to draw from.
  struct Setup {
    std::vector<std::int64_t> labels;  ///< the class of every training image, each >= 0
    std::int64_t batch_size = 0;       ///< asked for by the user; 0: the sampler's own
    std::uint64_t seed = 0;
    /// The group of classes (super-class) of every training image; empty: there are none.
    std::vector<std::int64_t> groups{};
  };

  virtual ~Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// For every batch of that epoch the indices of its images; an image may occur repeatedly. A pure
  /// function of (seed, epoch) and, where embeddings_needed(), of state(); the only place where
  /// batches are decided. The number of batches depends on the seed alone.
  /// @param epoch  from 0
  virtual std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const = 0;

  /// Images in a batch (the last one may be smaller where `epoch_meaning` says so).
  virtual std::int64_t batch_size() const = 0;
  /// What an epoch is, in a few words: "every image once, the last batch may be smaller".
  virtual std::string epoch_meaning() const = 0;
  /// What it promises of every batch.
  virtual Guarantee guarantee() const { return {}; }

  /// Whether plan() looks at embeddings of the training images. Such a run goes on after an
  /// interruption at the beginning of an epoch only.
  virtual bool embeddings_needed() const { return false; }
  /// Called before every epoch, before its plan. Until the first call, plan() does without.
  virtual void before_epoch(EpochView&) {}
  /// The embeddings of a batch as they were in its step, [n, dim] on the host, with the indices of
  /// its images. Called after every step, where embeddings_needed().
  virtual void after_step(std::span<const std::int64_t>, const Tensor&) {}
  /// What plan() depends on beside seed and epoch, for the checkpoint; and back again.
  virtual std::map<std::string, Tensor> state() const { return {}; }
  virtual void restore(const std::map<std::string, Tensor>&) {}

 protected:
  Sampler() = default;
  /// The stream of an epoch.
  static Random stream(std::uint64_t seed, std::int64_t epoch) {
    return {seed, Purpose::shuffle, static_cast<std::uint64_t>(epoch)};
  }
};

/// The share of n images that the batches of a plan hold.
double share_shown(const std::vector<std::vector<std::int64_t>>& plan, std::int64_t n);

/// The images of every class that occurs, by ascending class; images in ascending order.
std::vector<std::vector<std::int64_t>> images_by_class(const std::vector<std::int64_t>& labels);

}  // namespace dml
