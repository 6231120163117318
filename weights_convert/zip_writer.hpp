#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dml::weights {

/// Writes a zip file of stored records, one after the other, as torch's own writer lays it out:
/// every record's data begin at a multiple of 64 bytes, and a zip64 end record is always there.
class ZipWriter {
 public:
  using Append = std::function<void(const void* bytes, std::size_t size)>;
  /// @param append  takes the bytes of the file in order.
  explicit ZipWriter(Append append) : append_(std::move(append)) {}

  void add(const std::string& name, std::string_view contents);
  /// Writes the central directory. Nothing may be added afterwards.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t size, header;
    std::uint32_t crc;
  };
  void put(const std::string& bytes);

  Append append_;
  std::vector<Entry> entries_;
  std::uint64_t at_ = 0;
};

}  // namespace dml::weights
