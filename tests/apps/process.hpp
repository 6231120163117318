#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/temporary_folder.hpp"

namespace dml::test {

/// What a tool left behind.
struct Outcome {
  int status = -1;  ///< exit status; 128 + signal when one ended it
  std::string out, err;
  std::uint64_t peak_memory = 0;  ///< bytes that it held at most, seen every 2 ms
};

/// A built tool that is running, its output in files.
class Process {
 public:
  /// @param tool  "dmltrain"
  Process(const std::string& tool, const std::vector<std::string>& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Sends a signal to this process alone.
  void signal(int number) const;
  /// Whether it has ended.
  bool ended();
  /// Waits for its end, at most two minutes.
  Outcome wait();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  std::uint64_t peak_memory_ = 0;
  bool ended_ = false;
  std::filesystem::path out_, err_;
};

/// Runs a tool to its end.
Outcome run(const std::string& tool, const std::vector<std::string>& arguments);

/// A word for the shell.
std::string quoted(const std::string& word);
/// Runs a tool behind words of the shell: "exec nice".
Outcome run_behind(const std::string& words, const std::string& tool,
                   const std::vector<std::string>& arguments);
/// Runs a tool under a limit of the shell: "ulimit -f 100".
Outcome run_limited(const std::string& limit, const std::string& tool,
                    const std::vector<std::string>& arguments);

using TempFolder = dml::testing::TemporaryFolder;

/// Whether a text holds control characters other than line feeds.
bool has_control_characters(const std::string& text);

/// A folder with 64 rendered pictures of 8 classes, made once for all tests of this program.
const std::filesystem::path& picture_folder();

/// Arguments of a training that takes about a second: a small ResNet on the pictures.
std::vector<std::string> tiny_training(const std::filesystem::path& run,
                                       const std::vector<std::string>& more = {});

/// Three epochs with everything that has a state: a warm-up, a plateau, groups, two optimizers.
std::vector<std::string> rich_training(const std::filesystem::path& run,
                                       const std::vector<std::string>& more = {});

/// The bytes of the last checkpoint's weights.
std::string last_weights(const std::filesystem::path& run);

/// Those that rich_training ends with when nothing disturbs it.
const std::string& undisturbed_rich();

/// The whole lines of a file; none where there is no file.
std::vector<std::string> lines_of(const std::filesystem::path& file);

/// Whether a folder holds nothing that a half-done writing left.
bool clean(const std::filesystem::path& folder);

}  // namespace dml::test
