#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace dml::fuzz {

/// The bytes of a case as a file in memory, for readers that want a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const;

 private:
  int descriptor_;
};

/// Runs `body`; an Error is how a reader refuses, everything else is a finding.
template <class Body> void expect_only_errors(Body&& body);

}  // namespace dml::fuzz

/// libFuzzer calls this with each case.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

#include "engine/error.hpp"

template <class Body> void dml::fuzz::expect_only_errors(Body&& body) {
  try {
    body();
  } catch (const dml::Error&) {
  }
}

/// Defines a target that hands the bytes of a case to code.
#define DML_FUZZ(bytes)                                                               \
  static void fuzz_one(std::string_view bytes);                                       \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    const std::string_view all(reinterpret_cast<const char*>(data), size);            \
    dml::fuzz::expect_only_errors([&] { fuzz_one(all); });                            \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_one(std::string_view bytes)
