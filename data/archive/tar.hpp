#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace dml {

/// Takes the files of an archive one after the other: begin, any number of appends, end.
struct ArchiveTarget {
  std::function<void(const std::string& path, std::uint64_t size)> begin;
  std::function<void(std::string_view bytes)> append;
  std::function<void()> end;
};

/// The path of an archive's entry as it may be used below a folder: relative, without "." and
/// empty parts; "" for what an operating system leaves behind (._x, __MACOSX/).
/// @throws FormatError when it is absolute, leads out of the folder, or cannot be a file's name.
std::string inner_path(const std::string& path, const std::filesystem::path& archive);

/// Reads a tar file (ustar, GNU's long names, POSIX's extended headers), plain or gzip, from front
/// to back. Folders are not reported; links and devices are left out.
/// @return how many entries were left out.
/// @throws DataError when it cannot be read, FormatError (archive, what, where) when it is damaged
///   or cut off, or when a path leads out of the folder.
std::int64_t read_tar(const std::filesystem::path& archive, const ArchiveTarget& target);

}  // namespace dml
