#include "weights_convert/zip_writer.hpp"

#include <zlib.h>

#include <algorithm>

#include "weights_convert/zip_format.hpp"

namespace dml::weights {
namespace {

using namespace zip;
constexpr std::uint64_t alignment = 64;

/// Little-endian bytes of a number.
std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string clamped(std::uint64_t value) { return little(std::min(value, full32), 4); }

std::uint32_t crc_of(std::string_view contents) {
  uLong crc = crc32(0, nullptr, 0);
  while (!contents.empty()) {
    const std::size_t part = std::min<std::size_t>(contents.size(), std::size_t{1} << 30U);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(contents.data()), static_cast<uInt>(part));
    contents.remove_prefix(part);
  }
  return static_cast<std::uint32_t>(crc);
}

/// Version, flags (names are UTF-8), method stored, no time: the same in both kinds of headers.
std::string common_fields() {
  return little(0x0800, 2) + little(0, 2) + little(0, 2) + little(0x21, 2);
}

/// Sizes beyond 32 bits.
std::string extra64(const std::vector<std::uint64_t>& values) {
  std::string fields;
  for (const std::uint64_t value : values)
    if (value >= full32) fields += little(value, 8);
  return fields.empty() ? "" : little(1, 2) + little(fields.size(), 2) + fields;
}

}  // namespace

void ZipWriter::put(const std::string& bytes) {
  append_(bytes.data(), bytes.size());
  at_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view contents) {
  const Entry entry{name, contents.size(), at_, crc_of(contents)};
  // In a local header both sizes stand in the extra field or none does.
  std::string extra = extra64({entry.size, entry.size});
  // Torch's own way to align data: a field "FB" filled with the letter Z.
  const std::uint64_t begin = at_ + local_size + name.size() + extra.size() + 4;
  const std::uint64_t padding = (alignment - begin % alignment) % alignment;
  extra += "FB" + little(padding, 2) + std::string(padding, 'Z');
  put(little(local_signature, 4) + little(45, 2) + common_fields() + little(entry.crc, 4) +
      clamped(entry.size) + clamped(entry.size) + little(name.size(), 2) + little(extra.size(), 2) +
      name + extra);
  append_(contents.data(), contents.size());
  at_ += contents.size();
  entries_.push_back(entry);
}

void ZipWriter::finish() {
  const std::uint64_t begin = at_;
  for (const Entry& entry : entries_) {
    const std::string extra = extra64({entry.size, entry.size, entry.header});
    put(little(entry_signature, 4) + little(45, 2) + little(45, 2) + common_fields() +
        little(entry.crc, 4) + clamped(entry.size) + clamped(entry.size) +
        little(entry.name.size(), 2) + little(extra.size(), 2) + little(0, 2) + little(0, 2) +
        little(0, 2) + little(0, 4) + clamped(entry.header) + entry.name + extra);
  }
  const std::uint64_t size = at_ - begin, end64 = at_, count = entries_.size();
  put(little(end64_signature, 4) + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 4) +
      little(0, 4) + little(count, 8) + little(count, 8) + little(size, 8) + little(begin, 8));
  put(little(locator_signature, 4) + little(0, 4) + little(end64, 8) + little(1, 4));
  const std::uint64_t count16 = std::min<std::uint64_t>(count, 0xFFFF);
  put(little(end_signature, 4) + little(0, 2) + little(0, 2) + little(count16, 2) +
      little(count16, 2) + clamped(size) + clamped(begin) + little(0, 2));
}

}  // namespace dml::weights
