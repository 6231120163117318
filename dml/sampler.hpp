#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dml/requirements.hpp"
#include "engine/random.hpp"
#include "engine/registry.hpp"

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
  };

  virtual ~Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// For every batch of that epoch the indices of its images; an image may occur repeatedly. A pure
  /// function of (seed, epoch), and the only place where batches are decided.
  /// @param epoch  from 0
  virtual std::vector<std::vector<std::int64_t>> plan(std::int64_t epoch) const = 0;

  /// Images in a batch (the last one may be smaller where `epoch_meaning` says so).
  virtual std::int64_t batch_size() const = 0;
  /// What an epoch is, in a few words: "every image once, the last batch may be smaller".
  virtual std::string epoch_meaning() const = 0;
  /// What it promises of every batch.
  virtual Guarantee guarantee() const { return {}; }
  /// Called before every epoch, before its plan. Until the first call, plan() does without.
  virtual void before_epoch(EpochView&) {}

 protected:
  Sampler() = default;
  /// The stream of an epoch.
  static Random stream(std::uint64_t seed, std::int64_t epoch) {
    return {seed, Purpose::shuffle, static_cast<std::uint64_t>(epoch)};
  }
};

/// The images of every class that occurs, by ascending class; images in ascending order.
std::vector<std::vector<std::int64_t>> images_by_class(const std::vector<std::int64_t>& labels);

}  // namespace dml
