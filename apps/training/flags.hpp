#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.hpp"

namespace dml {

/// What the command line of dmltrain says.
class TrainFlags {
 public:
  std::string preset;
  std::string config_file;
  std::vector<std::string> assignments;  ///< of --set
  std::string output;                    ///< folder of the run
  std::string name;                      ///< runs/NAME
  bool overwrite = false;
  bool dry_run = false;
  bool print_config = false;
  std::string list;
  std::string progress = "auto";

  /// Adds all flags; `this` must outlive the parsing.
  void add_to(CLI::App& app);
  /// What --resume names: nothing without the flag, "last" without a value.
  std::optional<std::string> resume() const;
  /// The settings that were given as flags of their own, in the order of the command line, then
  /// those of --set. The last of one key counts.
  std::vector<Given> given() const;
  /// What --gpu-id says as a device; empty without it.
  std::string device() const;
  /// New names of flags and datasets that were given under their old ones, as sentences.
  std::vector<std::string> old_names() const;

 private:
  void add_settings(CLI::App& app);
  void add_negative(CLI::App& app, const std::string& key, const std::string& group);
  void add_old_names(CLI::App& app);

  struct Flag {
    std::string key, spelling;
    std::string value;
    CLI::Option* option = nullptr;
  };
  struct OldFlag {
    std::string spelling, now, key;
    std::string value;
    CLI::Option* option = nullptr;
  };
  std::map<std::string, Flag> flags_;
  std::vector<std::unique_ptr<OldFlag>> old_;
  struct Negative {
    bool given = false;
    CLI::Option* option = nullptr;
  };
  std::map<std::string, Negative> negative_;  ///< keys of --no-x
  const CLI::App* app_ = nullptr;
  std::string gpu_id_;
  bool deterministic_ = false;
  std::string resume_;
  CLI::Option* resume_option_ = nullptr;
};

}  // namespace dml
