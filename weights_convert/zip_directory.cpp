#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/error.hpp"
#include "weights_convert/cursor.hpp"
#include "weights_convert/tree.hpp"
#include "weights_convert/zip_archive.hpp"
#include "weights_convert/zip_format.hpp"

namespace dml::weights {
namespace {

using namespace zip;

/// Where the central directory lies.
struct Directory {
  std::uint64_t count = 0, size = 0, offset = 0;
};

[[noreturn]] void fail(const InputFile& input, const std::string& what) {
  throw FormatError(fmt::format("{}: zip: {}", input.path().string(), what));
}

/// The end record that reaches exactly to the end of the file with its comment.
std::uint64_t find_end(const InputFile& input) {
  const std::uint64_t size = input.size();
  if (size < end_size) fail(input, "the file is too short to be one");
  const std::uint64_t window = std::min(size, end_size + full16);
  const std::string tail = input.text(size - window, window);
  for (std::uint64_t at = window - end_size + 1; at-- > 0;) {
    Cursor cursor(std::string_view(tail).substr(at));
    if (cursor.little(4) != end_signature) continue;
    cursor.take(16);
    if (cursor.little(2) == window - at - end_size) return size - window + at;
  }
  fail(input, "the end record is missing; the file is cut short (an interrupted download?)");
}

/// Replaces what does not fit into the plain end record by the zip64 end record.
void read_end64(const InputFile& input, std::uint64_t end, Directory& directory) {
  if (end < locator_size) fail(input, "the zip64 end record is missing");
  const std::string locator = input.text(end - locator_size, locator_size);
  Cursor cursor(locator);
  if (cursor.little(4) != locator_signature) fail(input, "the zip64 end record is missing");
  cursor.take(4);
  const std::uint64_t at = cursor.little(8);
  if (at > end || end - at < end64_size) fail(input, "the zip64 end record lies outside the file");
  const std::string record = input.text(at, end64_size);
  Cursor fields(record);
  if (fields.little(4) != end64_signature) fail(input, "the zip64 end record is damaged");
  fields.take(8 + 4 + 4 + 4 + 8);
  directory.count = fields.little(8);
  directory.size = fields.little(8);
  directory.offset = fields.little(8);
}

Directory find_directory(const InputFile& input) {
  const std::uint64_t end = find_end(input);
  const std::string record = input.text(end, end_size);
  Cursor cursor(record);
  cursor.take(4);
  for (int i = 0; i < 2; ++i)  // 0xFFFF stands for "see zip64"
    if (const std::uint64_t disk = cursor.little(2); disk != 0 && disk != full16)
      fail(input, "archives in several parts are not supported");
  cursor.take(2);
  Directory directory;
  directory.count = cursor.little(2);
  directory.size = cursor.little(4);
  directory.offset = cursor.little(4);
  if (directory.count == full16 || directory.size == full32 || directory.offset == full32)
    read_end64(input, end, directory);
  if (directory.offset > end || directory.size > end - directory.offset)
    fail(input, "the central directory lies outside the file");
  return directory;
}

/// Takes the 64-bit numbers that the fixed fields of an entry have no room for.
void read_extra64(const InputFile& input, std::string_view extra, ZipEntry& entry) {
  Cursor cursor(extra);
  while (cursor.left() >= 4) {
    const std::uint64_t id = cursor.little(2);
    const std::uint64_t length = cursor.little(2);
    Cursor field(cursor.take(length));
    if (id != 1) continue;
    if (entry.size == full32) entry.size = field.little(8);
    if (entry.packed == full32) entry.packed = field.little(8);
    if (entry.header == full32) entry.header = field.little(8);
    return;
  }
  fail(input, "an entry lacks its zip64 sizes");
}

/// Reads one entry of the central directory.
std::pair<std::string, ZipEntry> read_entry(const InputFile& input, Cursor& cursor) {
  if (cursor.little(4) != entry_signature) fail(input, "the central directory is damaged");
  ZipEntry entry;
  cursor.take(4);
  entry.flags = static_cast<unsigned>(cursor.little(2));
  entry.method = static_cast<unsigned>(cursor.little(2));
  cursor.take(4 + 4);
  entry.packed = cursor.little(4);
  entry.size = cursor.little(4);
  const std::uint64_t name_length = cursor.little(2);
  const std::uint64_t extra_length = cursor.little(2);
  const std::uint64_t comment_length = cursor.little(2);
  cursor.take(2 + 2 + 4);
  entry.header = cursor.little(4);
  std::string name(cursor.take(name_length));
  const std::string_view extra = cursor.take(extra_length);
  cursor.take(comment_length);
  if (entry.size == full32 || entry.packed == full32 || entry.header == full32)
    read_extra64(input, extra, entry);
  return {std::move(name), entry};
}

/// The bytes of the file that an entry takes: its local header and its data. Checks that both lie
/// before the central directory and that the header carries the same name.
std::pair<std::uint64_t, std::uint64_t> extent_of(const InputFile& input, const std::string& name,
                                                  const ZipEntry& entry, std::uint64_t limit) {
  if (entry.header > limit || limit - entry.header < local_size + name.size())
    fail(input, fmt::format("record '{}' lies outside the file", shown(name)));
  const std::string header = input.text(entry.header, local_size + name.size());
  Cursor cursor(header);
  if (cursor.little(4) != local_signature)
    fail(input, fmt::format("record '{}' has no header where it should be", shown(name)));
  cursor.take(22);
  const std::uint64_t name_length = cursor.little(2);
  const std::uint64_t extra_length = cursor.little(2);
  if (name_length != name.size() || cursor.take(name_length) != name)
    fail(input, fmt::format("record '{}' has another name in its header", shown(name)));
  const std::uint64_t data = entry.header + local_size + name_length + extra_length;
  if (data > limit || entry.packed > limit - data)
    fail(input, fmt::format("record '{}' runs past the end of the data", shown(name)));
  return {entry.header, data + entry.packed};
}

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(const InputFile& input) {
  const Directory directory = find_directory(input);
  const std::string bytes = input.text(directory.offset, directory.size);
  Cursor cursor(bytes);
  std::map<std::string, ZipEntry> entries;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> extents;
  for (std::uint64_t index = 0; cursor.left() > 0; ++index) {
    auto [name, entry] = read_entry(input, cursor);
    entry.index = index;
    extents.push_back(extent_of(input, name, entry, directory.offset));
    if (!entries.emplace(name, entry).second)
      fail(input, fmt::format("two records are named '{}'", shown(name)));
  }
  if (entries.size() != directory.count)
    fail(input, fmt::format("the end record counts {} records, the directory has {}",
                            directory.count, entries.size()));
  std::sort(extents.begin(), extents.end());
  for (std::size_t i = 1; i < extents.size(); ++i)
    if (extents[i].first < extents[i - 1].second) fail(input, "two records overlap");
  return entries;
}

}  // namespace dml::weights
