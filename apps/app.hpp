#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/device.hpp"

namespace dml {

/// Exit status of every tool (Error::exit_code() gives those of errors).
enum ExitStatus : int {
  exit_done = 0,
  exit_failed = 1,       ///< failed while working: NaN, disk full
  exit_usage = 2,        ///< wrong usage or configuration
  exit_data = 3,         ///< bad input data or weights
  exit_device = 4,       ///< device absent or out of memory
  exit_not_reached = 5,  ///< a required value was not reached
  exit_interrupted = 130
};

/// What the user asked of every tool in the same way, and where text goes: results to standard
/// output, everything else to standard error.
struct Terminal {
  std::string tool;             ///< the name in front of notes: "dmltrain"
  bool quiet = false;           ///< -q: no notes
  bool verbose = false;         ///< -v: details as well
  bool json = false;            ///< --json: the result is one JSON object
  std::string device = "auto";  ///< --device
  int threads = 0;              ///< --threads; 0 takes all cores

  /// Writes a result to standard output; a line feed is added when there is none at the end.
  void print(std::string_view text) const;
  /// "tool: text" on standard error unless --quiet; further lines of the text stand below it.
  void note(std::string_view text) const;
  /// The same, but only with --verbose.
  void detail(std::string_view text) const;
  /// Opens the device that was asked for. @throws DeviceError, UsageError.
  Device open_device() const { return Device::open(device, threads); }
};

/// A command-line tool. Example:
///
///     int main(int argc, char** argv) {
///       Options options;
///       return dml::run_tool(argc, argv, {
///           .name = "dmlexample",
///           .summary = "counts the images of a folder",
///           .examples = {"dmlexample photos --json"},
///           .flags = [&](CLI::App& app) {
///             app.add_option("FOLDER", options.folder, "where the images are")->required();
///             app.add_flag("--deep,!--no-deep", options.deep, "look into folders below");
///           },
///           .run = [&](const dml::Terminal& terminal) { ... return 0; },
///       });
///     }
///
/// Flags are whole words with hyphens, booleans are "--x,!--no-x"; options of group "" are hidden
/// aliases. Sub-commands are CLI11's (app.add_subcommand).
struct Tool {
  std::string name;
  std::string summary;                ///< one sentence for --help
  std::vector<std::string> examples;  ///< command lines, shown below --help
  /// Adds the tool's own arguments. Their targets must outlive the run.
  std::function<void(CLI::App&)> flags;
  /// The work. @return the exit status. Errors are thrown, never printed.
  std::function<int(const Terminal&)> run;
  /// The text of `--help TOPIC` ("loss=group"). @throws UsageError for unknown topics.
  std::function<std::string(const std::string& topic)> help = {};
  /// Words that completion offers behind a flag, beside those of CLI::IsMember:
  /// {"--net", Registry<Net>::names()}. Called only when a completion script is wanted.
  std::function<std::map<std::string, std::vector<std::string>>()> words = {};
  /// Further sections of the manual page, heading and text.
  std::function<std::vector<std::pair<std::string, std::string>>()> manual = {};
};

/// Parses the arguments and runs the tool. All tools understand --help [TOPIC], --version,
/// -q/--quiet, -v/--verbose, --device, --threads, --json, --completion {bash,zsh,fish}, --manual.
///
/// This holds the program's only catch: an Error becomes one to three lines on standard error
/// (with the place in the source when --verbose) and its exit code; std::bad_alloc 4; any other
/// exception 1. Wrong usage ends with the nearest known flag and 2.
int run_tool(int argc, const char* const* argv, const Tool& tool);

/// A text for a terminal: control characters become \xNN, so that names out of a file can neither
/// move the cursor nor forge lines. Line feeds stay.
std::string printable(std::string_view text);

/// "0.1.0"
const char* version();

}  // namespace dml
