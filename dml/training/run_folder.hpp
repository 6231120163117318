#pragma once
#include <filesystem>
#include <string>

#include "dml/training/checkpoint.hpp"

namespace dml {

/// The folder that holds everything of one run (docs: files of a run).
class RunFolder {
 public:
  /// What to do when the folder holds a run already.
  enum class Existing : std::uint8_t { refuse, overwrite, resume };

  /// Prepares the folder for training; nothing is written yet but folders. `overwrite` removes the
  /// files of the old run, and only those.
  /// @throws UsageError when there is a run and it shall be kept, or none and it shall go on.
  static RunFolder prepare(const std::filesystem::path& folder, Existing existing);
  /// The folder of a run that is there. @throws DataError when it holds none.
  static RunFolder open(const std::filesystem::path& folder);
  /// Whether a folder holds a run.
  static bool holds_run(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.toml"; }
  std::filesystem::path environment() const { return path_ / "environment.json"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path epochs() const { return path_ / "epochs.csv"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path evaluation() const { return path_ / "eval"; }
  /// "last" or "best".
  CheckpointPair checkpoint(const std::string& name) const { return {checkpoints(), name}; }

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
};

}  // namespace dml
