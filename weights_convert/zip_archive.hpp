#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "engine/input_file.hpp"

namespace dml::weights {

/// An entry of a zip file as its central directory lists it.
struct ZipEntry {
  std::uint64_t index = 0;   ///< in the central directory
  std::uint64_t size = 0;    ///< uncompressed
  std::uint64_t packed = 0;  ///< bytes in the file
  std::uint64_t header = 0;  ///< offset of its local header
  unsigned method = 0;       ///< 0 stored, 8 deflate
  unsigned flags = 0;
};

/// A zip file whose whole structure is checked before anything is read: end record (also zip64),
/// number of entries, local headers with the same names, entries inside the file and not
/// overlapping. Entries are only ever looked up by their whole names; nothing is written anywhere.
class ZipArchive {
 public:
  /// @throws DataError, FormatError
  explicit ZipArchive(const std::filesystem::path& file);
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;
  ~ZipArchive();

  const std::map<std::string, ZipEntry>& entries() const { return entries_; }
  /// The entry of that name, or null.
  const ZipEntry* find(const std::string& name) const;
  /// The entry of that name, not encrypted, stored or deflated, and not larger than can be.
  /// @throws FormatError naming file and record.
  const ZipEntry& usable(const std::string& name) const;
  /// Reads a whole entry and checks its CRC-32. @param to  as long as the entry's size.
  void read(const std::string& name, std::span<std::byte> to) const;
  std::string text(const std::string& name) const;

  const InputFile& input() const { return input_; }

 private:
  struct Library;
  InputFile input_;
  std::map<std::string, ZipEntry> entries_;
  mutable std::unique_ptr<Library> library_;  ///< opened at the first read
};

/// Finds and checks the central directory of a zip file.
std::map<std::string, ZipEntry> read_zip_directory(const InputFile& input);

}  // namespace dml::weights
