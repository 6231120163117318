#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/loader.hpp"
#include "dml/groups.hpp"
#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "dml/sampler.hpp"
#include "dml/schedule.hpp"
#include "dml/training/checkpoint.hpp"
#include "dml/training/run_folder.hpp"
#include "dml/training/vital_signs.hpp"
#include "engine/event.hpp"
#include "nets/model.hpp"

namespace dml {

/// What an evaluation gave.
struct Evaluated {
  Figures figures;
  std::vector<Histogram> histograms{};
};

/// What a trainer works with. All of it outlives the trainer.
struct TrainerParts {
  Device& device;
  ParameterStore& store;
  Model& model;
  Loss& loss;
  Sampler& sampler;
  Optimizer& optimizer;
  Schedule& schedule;
  Loader& loader;  ///< of the training images, in the order that the sampler was told
  Events& events;
  ParameterGroups* groups = nullptr;  ///< of the store; null: none
  /// Measures the model. The trainer compares epochs by its figures. Empty: no evaluation.
  std::function<Evaluated()> evaluate{};
  /// The embeddings of all training images, for losses that look at them between epochs.
  std::function<Tensor()> embed_training_set{};
  /// Their pooled features, likewise.
  std::function<Tensor()> features_of_training_set{};
};

/// How long and how a trainer trains.
struct TrainerOptions {
  std::int64_t epochs = 1;
  std::int64_t steps = 0;  ///< of the whole run; 0: as many as the epochs have
  std::int64_t classes = 0;
  std::int64_t eval_every = 1;        ///< epochs from one evaluation to the next; 0: never
  std::int64_t checkpoint_every = 0;  ///< steps; 0: after every epoch only
  std::int64_t keep = 0;  ///< checkpoints of so many epochs are kept beside last and best
  std::string select_by;  ///< the figure that says which epoch is best (larger is better)
  std::string split;      ///< what `evaluate` looks at, for the record
  std::uint64_t seed = 0;
  double clip_grad_norm = 0;    ///< gradients are scaled down to this norm; 0: never
  std::int64_t look_every = 0;  ///< steps from one look at the vital signs to the next; 0: never
  double clip_grad_value = 0;   ///< elements of gradients are cut to this size; 0: never
};

/// Runs the steps of a training. It knows nets, losses, samplers, optimizers, schedules and events,
/// no concrete one of them.
class Trainer {
 public:
  /// @param folder    where checkpoints go
  /// @param metadata  what every checkpoint says of itself, beside epoch, step and figures
  Trainer(TrainerParts parts, TrainerOptions options, RunFolder folder, Metadata metadata);

  /// Goes on where that checkpoint was written.
  void resume(const CheckpointPair& checkpoint);
  /// Steps of the present epoch, and of the whole run; where samplers give epochs of different
  /// length and epochs say the end of the run, the latter is an estimate.
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  std::int64_t total_steps() const;
  std::int64_t total_epochs() const;
  const TrainingState& state() const { return state_; }

  /// Trains to the end, or until `stop` says so after a step; either way the last state is in the
  /// checkpoint `last`. @return whether the end was reached.
  /// @throws NumericError when loss or gradient are no numbers; the batch is saved first.
  bool run(const std::function<bool()>& stop);

 private:
  void before_epoch();
  /// @return false when asked to stop.
  bool run_epoch(const std::function<bool()>& stop);
  /// @return false when the evaluation was interrupted.
  bool after_epoch();
  void observe(const EpochDone& done);
  void note_figures(const Figures& metrics, std::int64_t epoch);
  /// Says what share of the training images an epoch leaves out.
  void tell_share(double share);
  StepDone step(const Batch& batch);
  /// Whether the step that is being done is one whose vital signs are looked at.
  bool looks() const;
  /// Adds the vital signs of the batch to what is told of the step, and warns.
  void look(const Batch& batch, const Tensor& embedding, StepDone& done);
  [[noreturn]] void refuse_numbers(const Batch& batch, const Tensor& embedding, double loss);
  std::string first_bad_number(const Batch& batch, const Tensor& embedding, double loss) const;
  std::filesystem::path save_batch(const Batch& batch) const;
  void write_checkpoint(const std::string& name, const Figures& figures);
  void keep_checkpoint();
  bool finished() const;

  TrainerParts parts_;
  TrainerOptions options_;
  RunFolder folder_;
  Metadata metadata_;
  TrainingState state_;
  std::int64_t steps_per_epoch_ = 0;
  double last_norm_ = 0;
  Watch watch_;
};

}  // namespace dml
