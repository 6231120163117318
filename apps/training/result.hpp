#pragma once
#include <functional>
#include <string>

#include "apps/training/presets.hpp"
#include "apps/training/session.hpp"

namespace dml {

/// What a run ended with.
struct RunResult {
  std::string table;  ///< for people: published figures, the best epoch, and the test classes
  std::string json;   ///< the same as one object
};

/// Measures the net as it is before the first step, for the record: eval/before.json.
void measure_before(Session& session, const RunFolder& run, Events& events,
                    const std::function<bool()>& keep_going);

/// Reads the best epoch's figures, measures its weights on the test classes, and writes eval/:
/// test.json with the protocol, embeddings.npy, labels.csv, neighbours.npy.
RunResult finish_run(Session& session, const RunFolder& run, const Preset& preset,
                     const std::function<bool()>& keep_going);

/// Figures as a table with a row for each set of them:
///
///                      R@1    R@2    NMI
///       published     65.5   77.0   69.0
std::string figures_table(const std::vector<std::pair<std::string, Figures>>& rows);

}  // namespace dml
