#pragma once
#include <memory>

#include "dml/distance.hpp"
#include "dml/labels.hpp"
#include "dml/tuples.hpp"
#include "engine/random.hpp"
#include "engine/registry.hpp"

namespace dml {

/// Chooses which pairs or triplets of a batch a loss looks at. Configured inside a loss:
/// `loss.miner=multi_similarity`, `loss.miner.epsilon=0.2`. No value of the device is read on the
/// host, and no list of all triplets is made.
class Miner {
 public:
  static constexpr const char* kind = "miner";
  struct Setup {};

  /// What a miner sees: embeddings without gradient.
  struct Batch {
    Tensor embedding;      ///< [n, d]
    const Labels& labels;  ///< of the n rows
    Tensor reference{};    ///< [q, d] set that pairs are made with; undefined: the batch
    const Labels* reference_labels = nullptr;
    const Tuples* candidates = nullptr;  ///< to choose from; null: all that the labels make
    Random random{0, Purpose::mine};     ///< a stream of this step's own

    /// The labels of the reference set; null without one.
    const Labels* others() const { return reference.defined() ? reference_labels : nullptr; }
    std::int64_t columns() const {
      return reference.defined() ? reference_labels->size() : labels.size();
    }
  };

  virtual ~Miner() = default;
  Miner(const Miner&) = delete;
  Miner& operator=(const Miner&) = delete;

  /// The chosen tuples. @throws ShapeError for a batch that it cannot use.
  virtual Tuples operator()(Device& device, const Batch& batch) const = 0;

 protected:
  Miner() = default;
};

/// Options of miners that compare distances.
struct MatrixMinerOptions {
  MatrixMinerOptions() : MatrixMinerOptions(Nested{"lp"}) {}
  explicit MatrixMinerOptions(Nested default_distance) : distance(std::move(default_distance)) {}

  Nested distance;
  static constexpr std::tuple fields{
      nested<Distance>("distance", &MatrixMinerOptions::distance,
                       "how far two embeddings are apart, or how similar")};
  /// The fields of a miner: these and its own.
  template <class... Fields> static constexpr auto with(const Fields&... own) {
    return std::tuple_cat(fields, std::tuple{own...});
  }
};

/// A miner that compares distances.
class MatrixMiner : public Miner {
 protected:
  explicit MatrixMiner(const MatrixMinerOptions& options);

  const Distance& distance() const { return *distance_; }
  /// Of the batch to itself or to its reference set.   [n, q]
  Tensor matrix(Device& device, const Batch& batch) const;
  /// The candidates, or all pairs of the labels.   [n, q] f32
  static Tensor relation(Device& device, const Batch& batch);

 private:
  std::unique_ptr<Distance> distance_;
};

}  // namespace dml
