#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/app.hpp"
#include "data/dataset.hpp"

namespace dml {

/// What the command line of dmldata says; each command reads its part.
struct DataOptions {
  std::string name, folder;           ///< NAME and DIR
  std::vector<std::string> settings;  ///< of --set: dataset.KEY=VALUE
  bool deep = false;                  ///< verify: decode every pixel
  std::string report;                 ///< verify --fix-report
  std::string output;                 ///< -o of import, sample, duplicates
  std::vector<std::string> archives;  ///< prepare: archives, and DIR behind them
  std::string input;                  ///< import: FOLDER or CSV
  std::string split_by;               ///< import: "class:0.5"
  std::int64_t count = 0;             ///< sample: N
  std::int64_t images_per_class = 0;  ///< sample; 0: no matter which classes
  std::int64_t seed = 0;              ///< sample
  int most_apart = 8;                 ///< duplicates: slopes that near ones may differ in
};

/// A dataset with what is published of it.
struct ReadData {
  std::string name;
  Manifest manifest;
  std::optional<Expected> expected;
};

/// Reads the dataset that the options name. @throws as Dataset::read.
ReadData read_data(const DataOptions& options, const Terminal& terminal);

/// 59551 as "59,551".
std::string with_commas(std::int64_t number);

/// The commands of dmldata. @return the exit status.
int list_datasets(const Terminal& terminal);
int verify_dataset(const DataOptions& options, const Terminal& terminal);
int print_dataset_stats(const DataOptions& options, const Terminal& terminal);
int prepare_dataset(const DataOptions& options, const Terminal& terminal);
int import_images(const DataOptions& options, const Terminal& terminal);
int sample_dataset(const DataOptions& options, const Terminal& terminal);
int find_duplicates(const DataOptions& options, const Terminal& terminal);

}  // namespace dml
