#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "dml/labels.hpp"
#include "dml/requirements.hpp"
#include "dml/tuples.hpp"
#include "engine/registry.hpp"
#include "engine/tape.hpp"
#include "nets/net.hpp"

namespace dml {

/// What a loss may look at between two epochs.
class EpochView {
 public:
  virtual ~EpochView() = default;
  /// The epoch that is about to begin, from 0.
  virtual std::int64_t epoch() const = 0;
  /// The embeddings of all training images at inference, [images, dim] f32 on the host. Computed at
  /// the first call, which costs a pass over the training set.
  virtual const Tensor& embeddings() = 0;
  /// The class of every training image, in the order of embeddings().
  virtual std::span<const std::int64_t> labels() const = 0;
  /// The pooled features of all training images at inference, [images, features], likewise.
  virtual const Tensor& features() { throw Error("this view of an epoch has no features"); }
  /// Where the run computes.
  virtual Device& device() { throw Error("this view of an epoch has no device"); }

  /// Parts of the training set that the loss has found: a number for every image, -1 for none.
  /// Samplers that draw batches from one part each read them. Empty: undivided.
  std::span<const std::int64_t> parts() const { return parts_; }
  void set_parts(std::vector<std::int64_t> parts) { parts_ = std::move(parts); }

 private:
  std::vector<std::int64_t> parts_;
};

/// Maps a batch to the one number that training minimises. Whatever it learns (proxies, a
/// classifier) it owns in its scope.
class Loss {
 public:
  static constexpr const char* kind = "loss";

  /// What a loss is made for.
  struct Setup {
    Scope scope;                ///< of what it learns; the trainer gives `loss`
    std::int64_t dim = 0;       ///< size of the embedding
    std::int64_t features = 0;  ///< size of the pooled features
    std::int64_t classes = 0;   ///< of the training set
    std::int64_t epochs = 0;    ///< of the run; 0 when not known
    std::int64_t images = 0;    ///< of the training set; 0 when not known
    LinearInit classifier{};    ///< how the net wants a classifier to begin (Net::classifier_init)
    DType products = DType::f32;  ///< bf16 in a run of --precision bf16: layers that a loss brings
                                  ///< may multiply in it; all else of a loss is f32
  };

  /// What a loss sees of one training batch of n images. Values are f32 (f64 in checks).
  struct Batch {
    Var embedding;         ///< [n, dim]
    Var features;          ///< [n, features] pooled map of the net
    Var neck{};            ///< [n, dim], undefined where the head has no neck
    const Labels& labels;  ///< of the n images
    /// A reference set [q, dim]: anchors come from the batch, positives and negatives from here;
    /// equal indices are different samples. Undefined: the batch itself, no sample with itself.
    Var reference{};
    const Labels* reference_labels = nullptr;  ///< of the q rows of reference
    /// The pairs or triplets to look at (from a miner); null: all that the labels make.
    const Tuples* tuples = nullptr;
    std::span<const std::int64_t> samples{};  ///< index of every image in the training set
    std::int64_t epoch = 0;                   ///< from 0
    std::int64_t step = 0;                    ///< of the whole run, from 0
    Random random{0, Purpose::mine};          ///< a stream of this step's own
  };

  virtual ~Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  /// The loss of one batch: one number, shape []. Sizes of what it computes depend on the shapes of
  /// the batch alone, and no value is read on the host.
  /// @throws ShapeError for a batch that it cannot use.
  virtual Var operator()(const Batch& batch) = 0;

  /// What it needs of a batch.
  virtual Requirements requirements() const { return {}; }
  /// Called before every epoch.
  virtual void before_epoch(EpochView&) {}
  /// The scores of embeddings for every class, without margins: [n, classes]; undefined where a
  /// loss has no class vectors.
  virtual Var logits(const Var& /*embedding*/) { return {}; }
  /// What retrieval compares, from the embedding of the model, on an inference tape.
  virtual Var embed(const Var& embedding) { return embedding; }
  /// The same for a whole set at once, from what embed() gave, [n, dim] f32 on the host: for losses
  /// that refine an embedding among others of the set.
  /// @param queries, gallery  rows that are searched for and that can be found; empty: all
  virtual Tensor embed_set(Device& /*device*/, const Tensor& embeddings,
                           std::span<const std::int64_t> /*queries*/,
                           std::span<const std::int64_t> /*gallery*/) {
    return embeddings;
  }

  /// Numbers of the last batch for the log, by name (the terms of a sum, the share of active
  /// pairs): tensors of one number that may lie on the device. The trainer keeps a copy of the map
  /// and reads it some steps late.
  const std::map<std::string, Tensor>& diagnostics() const { return diagnostics_; }
  /// Values of the last batch before their reduction, by the name of the sub-loss, where there is
  /// one for each anchor: [n], 0 for anchors that have none.
  const std::map<std::string, Tensor>& items() const { return items_; }

 protected:
  Loss() = default;
  /// Notes a number for diagnostics().
  void note(const std::string& name, const Var& value) { diagnostics_[name] = value.value(); }
  /// Notes values for items().
  void note_items(const std::string& name, const Var& values) { items_[name] = values.value(); }

 private:
  std::map<std::string, Tensor> diagnostics_, items_;
};

}  // namespace dml
