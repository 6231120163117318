#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dml::testing {

/// Little-endian bytes of a number.
inline std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// Pieces of pickles, put together by hand as Python's pickler writes them.
namespace pickle {

inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string number(std::int64_t value) {
  return "\x8A\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) bytes += item;
  return bytes + "t";
}
inline std::string numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) items.push_back(number(value));
  return tuple(items);
}
/// Keys (pickled already) and values.
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) bytes += key + value;
  return bytes + "u";
}
inline std::string list(const std::vector<std::string>& items) {
  std::string bytes = "](";
  for (const std::string& item : items) bytes += item;
  return bytes + "e";
}
inline std::string call(const std::string& function, const std::string& arguments) {
  return function + arguments + "R";
}
inline std::string storage(const std::string& key, std::int64_t count,
                           const std::string& type = "FloatStorage", bool legacy = false) {
  std::vector<std::string> id = {text("storage"), global("torch", type), text(key), text("cpu"),
                                 number(count)};
  if (legacy) id.push_back("N");
  return tuple(id) + "Q";
}
inline std::string tensor(const std::string& storage, std::int64_t offset,
                          const std::vector<std::int64_t>& shape,
                          const std::vector<std::int64_t>& strides) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              tuple({storage, number(offset), numbers(shape), numbers(strides), "\x89",
                     call(global("collections", "OrderedDict"), ")")}));
}
/// A whole pickle of that object.
inline std::string file(const std::string& object) { return "\x80\x02" + object + "."; }

}  // namespace pickle

inline std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

/// A zip file of stored records.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string file, directory;
  for (const auto& [name, data] : records) {
    const std::string common = little(0, 2) + little(0, 2) + little(0, 4) + little(crc32(data), 4) +
                               little(data.size(), 4) + little(data.size(), 4) +
                               little(name.size(), 2) + little(0, 2);
    directory += "PK\1\2" + little(20, 2) + little(20, 2) + common + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(0, 4) + little(file.size(), 4) + name;
    file += "PK\3\4" + little(20, 2) + common + name + data;
  }
  return file + directory + "PK\5\6" + little(0, 4) + little(records.size(), 2) +
         little(records.size(), 2) + little(directory.size(), 4) + little(file.size(), 4) +
         little(0, 2);
}

/// A checkpoint in the zip format: an object and its storages by key.
inline std::string zip_checkpoint(
    const std::string& object, const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<std::pair<std::string, std::string>> records = {
      {"archive/data.pkl", pickle::file(object)}};
  for (const auto& [key, data] : storages) records.emplace_back("archive/data/" + key, data);
  records.emplace_back("archive/version", "3\n");
  return zip_of(records);
}

/// A checkpoint in the format before torch 1.6. @param storages  key, elements, bytes.
struct LegacyStorage {
  std::string key;
  std::int64_t count;
  std::string data;
};
inline std::string legacy_checkpoint(const std::string& object,
                                     const std::vector<LegacyStorage>& storages) {
  using namespace pickle;
  std::vector<std::string> keys;
  std::string raw;
  for (const LegacyStorage& one : storages) {
    keys.push_back(text(one.key));
    raw += little(static_cast<std::uint64_t>(one.count), 8) + one.data;
  }
  const std::string magic("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 12);
  return file(magic) + file(number(1001)) +
         file(dict({{text("protocol_version"), number(1001)}, {text("little_endian"), "\x88"}})) +
         file(object) + file(list(keys)) + raw;
}

/// Floats 1, 2, 3 ... as raw bytes.
inline std::string floats(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i + 1);
    std::uint32_t word = 0;
    static_assert(sizeof word == sizeof value);
    __builtin_memcpy(&word, &value, sizeof word);
    bytes += little(word, 4);
  }
  return bytes;
}

}  // namespace dml::testing
