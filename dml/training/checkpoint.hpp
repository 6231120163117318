#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/parameter.hpp"
#include "engine/safetensors.hpp"

namespace dml {

/// What a checkpoint says of itself: the texts of its `__metadata__`.
using Metadata = std::map<std::string, std::string>;

/// All parameters and buffers by their dotted names, in PyTorch's layouts.
SafeTensors weights_of(const ParameterStore& store, Metadata metadata);

/// What came of matching a file with a model.
struct WeightReport {
  struct Misfit {
    std::string name;
    Shape file, model;
  };
  std::int64_t loaded = 0;
  std::vector<std::string> missing;  ///< in the model, not in the file; they keep their values
  std::vector<std::string> extra;    ///< in the file, not in the model
  std::vector<Misfit> misfits;       ///< in both, of different shapes; they keep their values

  /// The misfits as lines "  name  file [200, 1024], net [98, 1024]", at most `most`.
  std::string misfit_lines(std::size_t most) const;
  /// A list of names in one line, at most `most` and "and N more".
  static std::string name_list(const std::vector<std::string>& names, std::size_t most);
};

/// Sets every parameter that the file has under its name and in its shape. Counters of batch norm
/// ("num_batches_tracked") may be absent.
WeightReport load_weights(const SafeTensors& file, ParameterStore& store);

/// Loads what must fit completely: a checkpoint of the same model.
/// @throws FormatError that lists what is missing or misshapen.
void load_all_weights(const SafeTensors& file, ParameterStore& store, const std::string& name);

/// What a run needs beside its weights to go on as if it had never stopped.
struct TrainingState {
  std::int64_t epoch = 0;          ///< epochs that are done
  std::int64_t step = 0;           ///< steps that are done, of the whole run
  std::int64_t step_in_epoch = 0;  ///< steps that are done of the epoch after `epoch`
  double loss_sum = 0;             ///< over the steps of the epoch that is under way
  std::int64_t images = 0;         ///< seen in the epoch that is under way
  double best = 0;
  std::int64_t best_epoch = 0;                          ///< 0: nothing was evaluated yet
  std::map<std::string, std::string> texts;             ///< of schedule and sampler
  std::vector<std::pair<std::string, Tensor>> tensors;  ///< of the optimizer, in its order

  SafeTensors to_file() const;
  /// @throws FormatError when something is missing.
  static TrainingState from_file(const SafeTensors& file);
};

/// A pair of files in the folder of checkpoints: NAME.safetensors and NAME.state. At any moment a
/// complete pair that belongs together can be had, whenever the process is killed.
class CheckpointPair {
 public:
  CheckpointPair(std::filesystem::path folder, const std::string& name);

  void write(const SafeTensors& weights, const TrainingState& state) const;

  /// Whether there is a pair.
  bool exists() const;
  /// Finishes a writing that a killed process left half done, then reads the state.
  /// @throws FormatError when the two files do not belong together, DataError when one is missing.
  TrainingState read_state() const;

  const std::filesystem::path& weights() const { return weights_; }
  const std::filesystem::path& state() const { return state_; }

 private:
  std::filesystem::path weights_, state_, new_weights_, new_state_;
};

}  // namespace dml
