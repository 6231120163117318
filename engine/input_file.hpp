#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace dml {

/// A file open for reading at any place, for formats that are not read as one text.
class InputFile {
 public:
  /// @throws DataError naming the file when it is missing, a folder or unreadable.
  explicit InputFile(std::filesystem::path file);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  /// Bytes in the file when it was opened.
  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

  /// Fills `to` with the bytes from `offset` on.
  /// @throws FormatError when they are not all there, DataError when reading fails.
  void read(std::uint64_t offset, std::span<std::byte> to) const;
  /// `length` bytes from `offset` on; the length is checked before memory is taken.
  std::string text(std::uint64_t offset, std::uint64_t length) const;

 private:
  void require(std::uint64_t offset, std::uint64_t length) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace dml
