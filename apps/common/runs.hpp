#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/event.hpp"

namespace dml {

/// What became of a run, as its files tell.
struct RunSummary {
  std::filesystem::path folder;
  std::string name;         ///< the folder, below the one that was looked through
  std::string preset;       ///< of config.toml; empty without
  std::string state;        ///< "done", "running", "interrupted" or "stopped"
  std::string selected;     ///< the metric that chooses the best epoch
  std::int64_t best = 0;    ///< its epoch, from 1; 0 before the first evaluation
  std::int64_t epochs = 0;  ///< that are finished
  std::int64_t step = 0;
  Figures figures;  ///< of the best epoch, in the order of epochs.csv
};

/// The runs in a folder and in folders below it, in the order of their names. A run without an end
/// is "running" when it wrote within the last ten minutes, else "stopped".
/// @throws DataError when the folder is not there.
std::vector<RunSummary> find_runs(const std::filesystem::path& folder);

/// How runs are shown.
struct RunListing {
  std::string filter;  ///< a regular expression that the name must contain; empty: all
  std::string sort;    ///< a metric, best first; empty: the one that most runs select by
};

/// The runs that the filter lets pass, best first; those without a value stand last.
/// @throws UsageError for a filter that is no regular expression, or a metric that no run has.
std::vector<RunSummary> ordered(std::vector<RunSummary> runs, const RunListing& how);

/// A row for each run: name, state, best / last epoch, its figures.
std::string runs_table(const std::vector<RunSummary>& runs);
/// The same as one JSON object.
std::string runs_json(const std::vector<RunSummary>& runs);

}  // namespace dml
