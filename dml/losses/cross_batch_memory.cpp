#include <algorithm>
#include <array>

#include "dml/losses/common.hpp"
#include "dml/losses/memory.hpp"
#include "dml/miner.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

constexpr std::array<const char*, 15> possible{"angular",
                                               "circle",
                                               "contrastive",
                                               "generalized_lifted_structure",
                                               "intra_pair_variance",
                                               "lifted_structure",
                                               "margin",
                                               "multi_similarity",
                                               "nca",
                                               "nt_xent",
                                               "snr_contrastive",
                                               "sup_con",
                                               "triplet_margin",
                                               "tuplet_margin",
                                               "xbm_contrastive"};

/// A loss whose positives and negatives come from the embeddings of the last batches.
class CrossBatchMemory final : public Loss {
 public:
  struct Options {
    Nested inner{"contrastive"};
    Nested miner{};
    std::int64_t memory_size = 1024;
    std::int64_t start_iteration = 0;
    double weight = 1;
    bool with_batch_loss = false;
    static constexpr std::tuple fields{
        nested<Loss>("inner", &Options::inner, "the loss that sees batch and memory"),
        nested<Miner>("miner", &Options::miner,
                      "chooses pairs of the batch with the memory; none: all pairs"),
        field("memory_size", &Options::memory_size, "rows of the memory", {1, 1e9}),
        field("start_iteration", &Options::start_iteration,
              "step of the run from which on the memory is used, the batch alone before; the "
              "authors take 1000",
              {0, 1e12}),
        field("weight", &Options::weight, "weight of the memory's loss", {0, 1e6}),
        field("with_batch_loss", &Options::with_batch_loss,
              "the loss of the batch alone is added, as in the authors' training"),
    };
  };

  CrossBatchMemory(const Options& options, const Setup& setup)
      : options_(options),
        memory_(setup.scope, options.memory_size, setup.dim),
        miner_(make_nested<Miner>(options.miner, {})) {
    if (options.inner.name.empty()) throw UsageError("needs an inner loss\n  inner=contrastive");
    const std::string name = Registry<Loss>::find(options.inner.name).about.name;
    if (std::find(possible.begin(), possible.end(), name) == possible.end())
      throw UsageError("'" + name +
                       "' is defined within a batch alone\n  contrastive, "
                       "multi_similarity, triplet_margin and the like can use a memory");
    for (const auto& [key, value] : options.inner.settings)
      if ((key == "miner" || key == "miner.name") && value != "none")
        throw UsageError("the miner is an option of the memory, not of its inner loss");
    Setup own = setup;
    own.scope = setup.scope / "inner";
    inner_ = make_nested<Loss>(options.inner, own);
  }

  Var operator()(const Batch& batch) override {
    if (batch.reference.defined())
      throw UsageError("cross_batch_memory takes no reference set: the memory is one");
    const bool started = batch.step >= options_.start_iteration;
    Var total;
    if (options_.with_batch_loss || !started) {
      total = (*inner_)(batch);
      note("batch_loss", total);
    }
    if (!started) return total;
    const Var memory_loss = options_.weight * against_memory(batch);
    note("memory_loss", memory_loss);
    return total.defined() ? total + memory_loss : memory_loss;
  }

 private:
  Var against_memory(const Batch& batch) {
    const Var& x = batch.embedding;
    Device& device = x.device();
    const std::int64_t n = batch.labels.size();
    memory_.write(device, device.dense(x.value()), batch.labels);
    const Labels labels = memory_.labels();
    const Var rows = x.constant_like(memory_.rows());
    const kernel::CopyPlaces at{memory_.slot(n, 0), memory_.size()};
    Tuples tuples = miner_ ? (*miner_)(device, {.embedding = x.value(),
                                                .labels = batch.labels,
                                                .reference = rows.value(),
                                                .reference_labels = &labels,
                                                .random = batch.random})
                           : all_pairs(device, batch.labels, &labels);
    tuples = without_copies(device, tuples, at);
    if (batch.tuples != nullptr)
      tuples = with_batch(device, pair_relation(device, tuples, n, labels.size()),
                          pair_relation(device, *batch.tuples, n, n), at);
    Batch wide = batch;
    wide.reference = rows;
    wide.reference_labels = &labels;
    wide.tuples = &tuples;
    return (*inner_)(wide);
  }

  /// Without the pairs in which a sample meets its own copy.
  static Tuples without_copies(Device& device, const Tuples& tuples, kernel::CopyPlaces at) {
    Tuples result = tuples;
    if (tuples.form == Tuples::Form::triplets) {
      for (Tensor* const member : {&result.anchor, &result.positive, &result.negative})
        *member = device.empty(member->shape(), DType::i64);
      result.count = device.empty({}, DType::i64);
      kernel::list_without_copies(device, tuples, at, result);
    } else {
      result.relation = device.empty(tuples.relation.shape(), DType::f32);
      kernel::without_copies(device, tuples.relation, at, result.relation);
    }
    return result;
  }

  /// With the pairs that were given for the batch itself.
  static Tuples with_batch(Device& device, const Tensor& relation, const Tensor& within,
                           kernel::CopyPlaces at) {
    Tuples result;
    result.relation = device.empty(relation.shape(), DType::f32);
    kernel::relation_plus_batch(device, relation, within, at, result.relation);
    return result;
  }

  Options options_;
  EmbeddingMemory memory_;
  std::unique_ptr<Miner> miner_;
  std::unique_ptr<Loss> inner_;
};

const Register<Loss, CrossBatchMemory> cross_batch_memory_loss{{
    .name = "cross_batch_memory",
    .summary = "anchors from the batch, positives and negatives from the last batches",
    .paper = "Wang et al., Cross-Batch Memory for Embedding Learning, CVPR 2020",
    .details = "the batch enters the memory first; no sample is paired with its own copy. Pairs "
               "that are given for the batch are added. Gradients reach the anchors alone. The "
               "memory is in the checkpoint. The authors train with start_iteration = 1000 and "
               "with_batch_loss. Cost: n times memory_size. Use it when the batch is small beside "
               "the number of classes: thousands of negatives for the memory of their embeddings. "
               "Let the net settle first (start_iteration).",
    .aliases = {"xbm"},
}};

}  // namespace
}  // namespace dml
