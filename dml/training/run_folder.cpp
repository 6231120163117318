#include "dml/training/run_folder.hpp"

#include "engine/error.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Removes what training writes. Anything else in the folder is the user's.
void remove_run(const RunFolder& run) {
  for (const fs::path& file :
       {run.config(), run.environment(), run.metrics(), run.epochs(), run.log()})
    fs::remove(file);
  fs::remove_all(run.checkpoints());
  fs::remove_all(run.evaluation());
  if (!fs::exists(run.path())) return;
  for (const auto& entry : fs::directory_iterator(run.path()))
    for (const char* begin : {"nan_step_", "events.out.tfevents."})
      if (entry.path().filename().string().rfind(begin, 0) == 0) fs::remove(entry.path());
}

/// Removes what a killed process left half written.
void remove_half_written(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().find(".tmp-") != std::string::npos)
      fs::remove(entry.path());
}

void make_folder(const fs::path& folder) {
  std::error_code status;
  fs::create_directories(folder, status);
  if (status)
    throw DataError(folder.string() + ": the folder cannot be made: " + status.message() +
                    "\n  --output DIR names another one");
}

}  // namespace

bool RunFolder::holds_run(const fs::path& folder) { return fs::exists(folder / "config.toml"); }

RunFolder RunFolder::prepare(const fs::path& folder, Existing existing) {
  RunFolder run(folder);
  const bool there = holds_run(folder);
  if (existing == Existing::resume && !there)
    throw UsageError("--resume: " + folder.string() +
                     " holds no run (no config.toml)\n  --output DIR names the run that shall go "
                     "on");
  if (existing == Existing::refuse && there)
    throw UsageError(folder.string() +
                     " holds a run already\n  --resume goes on with it, "
                     "--overwrite replaces it, --output or --name takes another folder");
  if (existing == Existing::overwrite && there) remove_run(run);
  make_folder(run.checkpoints());
  remove_half_written(run.path());
  remove_half_written(run.checkpoints());
  return run;
}

RunFolder RunFolder::open(const fs::path& folder) {
  if (!holds_run(folder)) throw DataError(folder.string() + " holds no run (no config.toml)");
  return RunFolder(folder);
}

}  // namespace dml
