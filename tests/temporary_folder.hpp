#pragma once
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

namespace dml::testing {

/// A folder that is gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> next = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("dml-test-" + std::to_string(::getpid()) + "-" + std::to_string(next++));
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// How many files and folders are directly inside.
  int entries() const {
    int found = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(path_)) ++found;
    return found;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace dml::testing
