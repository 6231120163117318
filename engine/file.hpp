#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dml {

/// The whole file. @throws DataError naming it when it is missing, a folder or unreadable.
std::string read_file(const std::filesystem::path& file);

/// Writes a file so that at any moment either the old or the new contents are there: written to
/// `<file>.tmp-<pid>`, synced, renamed; on an error the temporary file is removed.
/// @throws Error with the system's words (disk full, read-only folder).
void write_file_atomically(const std::filesystem::path& file, std::string_view contents);
/// The same with contents written piecewise: `write` is handed a function that appends bytes.
void write_file_atomically(
    const std::filesystem::path& file,
    const std::function<void(const std::function<void(const void*, std::size_t)>& append)>& write);

/// SHA-256 as 64 hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace dml
