#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dml {

/// What came out of archives.
struct Unpacked {
  std::vector<std::filesystem::path> placed;  ///< files and folders directly below the target
  std::int64_t files = 0;
  std::uint64_t bytes = 0;
  std::int64_t left_out = 0;  ///< links and devices
};

/// Unpacks tar files (plain or gzip), zip files and single files into a folder: everything goes
/// into a new folder beside it first, and is moved when all of it is there. Nothing is written
/// outside, and nothing that exists is replaced.
/// @throws DataError for what cannot be read or is there already, FormatError for damaged archives,
///   Error on a full disk, Interrupted.
Unpacked unpack(const std::vector<std::string>& archives, const std::filesystem::path& folder);

}  // namespace dml
