#include "data/archive/tar.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "engine/error.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t block = 512;
constexpr std::uint64_t longest_header = 1 << 20;  // of names and extended headers

/// A gzip file, or a plain one, as a stream of bytes; zlib tells them apart.
class Stream {
 public:
  explicit Stream(const fs::path& file) : name_(file.string()), file_(gzopen(file.c_str(), "rb")) {
    if (file_ == nullptr) throw DataError(fmt::format("{}: {}", name_, std::strerror(errno)));
    gzbuffer(file_, 1 << 17);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { gzclose(file_); }

  /// Up to `size` bytes; fewer only at the end.
  std::size_t read(char* to, std::size_t size) {
    const int got = gzread(file_, to, static_cast<unsigned>(size));
    if (got < 0) fail("the compressed data are damaged");
    at_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  void read_all(char* to, std::size_t size) {
    if (read(to, size) != size) fail("it ends in the middle of a file");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {} (byte {} of the tar)", name_, what, at_));
  }

 private:
  std::string name_;
  gzFile file_;
  std::uint64_t at_ = 0;
};

using Header = std::array<char, block>;

std::string text_of(const Header& header, std::size_t from, std::size_t size) {
  const char* begin = header.data() + from;
  return {begin, std::find(begin, begin + size, '\0')};
}

/// Octal digits; GNU writes large numbers as binary behind a set first bit.
std::uint64_t number_of(const Header& header, std::size_t from, std::size_t size,
                        const Stream& stream) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(header[from + i]); };
  std::uint64_t value = 0;
  if (byte(0) >= 0x80) {
    for (std::size_t i = size - 8; i < size; ++i) value = value << 8U | byte(i);
    return value;
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (byte(i) == 0 || byte(i) == ' ') continue;
    if (byte(i) < '0' || byte(i) > '7') stream.fail("a number in a header is damaged");
    value = value << 3U | static_cast<std::uint64_t>(byte(i) - '0');
  }
  return value;
}

void check_sum(const Header& header, const Stream& stream) {
  constexpr std::size_t from = 148, size = 8;
  std::uint64_t sum = size * ' ';
  for (std::size_t i = 0; i < block; ++i)
    if (i < from || i >= from + size) sum += static_cast<unsigned char>(header[i]);
  if (number_of(header, from, size, stream) != sum) stream.fail("it is no tar, or damaged");
}

/// Lines "LENGTH KEY=VALUE\n" of an extended header.
std::map<std::string, std::string> extended(const std::string& text, const Stream& stream) {
  std::map<std::string, std::string> values;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t blank = text.find(' ', at), equals = text.find('=', at);
    const std::size_t length = blank == std::string::npos || blank - at > 7
                                   ? 0
                                   : std::strtoul(text.c_str() + at, nullptr, 10);
    const bool fits = length > 0 && length <= text.size() - at && equals != std::string::npos &&
                      equals > blank && equals < at + length;
    if (!fits) stream.fail("an extended header is damaged");
    values[text.substr(blank + 1, equals - blank - 1)] =
        text.substr(equals + 1, at + length - equals - 2);
    at += length;
  }
  return values;
}

/// What headers in front of an entry say of it.
struct Ahead {
  std::string path;
  std::optional<std::uint64_t> size;
};

class TarReader {
 public:
  TarReader(const fs::path& archive, const ArchiveTarget& target)
      : archive_(archive), target_(target), stream_(archive) {}

  std::int64_t run() {
    Header header{};
    Ahead ahead;
    bool any = false;
    for (std::size_t got = 0; (got = stream_.read(header.data(), block)) > 0; any = true) {
      if (got < block) stream_.fail("it ends in the middle of a header");
      if (std::all_of(header.begin(), header.end(), [](char c) { return c == 0; }))
        return left_out_;
      check_sum(header, stream_);
      const char type = header[156];
      const std::uint64_t size = ahead.size.value_or(number_of(header, 124, 12, stream_));
      if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
        look_ahead(type, size, ahead);
        continue;
      }
      entry(type, ahead.path.empty() ? path_of(header) : ahead.path, size);
      ahead = {};
    }
    if (!any) stream_.fail("it is empty");
    return left_out_;
  }

 private:
  static std::string path_of(const Header& header) {
    const std::string name = text_of(header, 0, 100);
    const bool posix = std::memcmp(header.data() + 257, "ustar\0", 6) == 0;
    const std::string prefix = posix ? text_of(header, 345, 155) : "";
    return prefix.empty() ? name : prefix + "/" + name;
  }

  void look_ahead(char type, std::uint64_t size, Ahead& ahead) {
    if (size > longest_header) stream_.fail("a name has more than a million letters");
    std::string text(static_cast<std::size_t>(size), '\0');
    stream_.read_all(text.data(), text.size());
    skip_padding(size);
    if (type == 'L') ahead.path = text.substr(0, text.find('\0'));
    if (type != 'x') return;
    for (const auto& [key, value] : extended(text, stream_)) {
      if (key == "path") ahead.path = value;
      if (key == "size") ahead.size = std::strtoull(value.c_str(), nullptr, 10);
    }
  }

  void entry(char type, const std::string& name, std::uint64_t size) {
    const bool file = type == '0' || type == '\0' || type == '7';
    const bool links = type >= '1' && type <= '6';  // these have no data, whatever they say
    const bool folder = type == '5' || (!name.empty() && name.back() == '/');
    const std::string path = inner_path(name, archive_);
    if (!file && !folder) ++left_out_;
    const bool take = file && !folder && !path.empty();
    if (take) target_.begin(path, size);
    std::array<char, 1 << 16> piece;
    for (std::uint64_t left = links ? 0 : size; left > 0;) {
      const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
      stream_.read_all(piece.data(), now);
      if (take) target_.append({piece.data(), now});
      left -= now;
    }
    if (!links) skip_padding(size);
    if (take) target_.end();
  }

  void skip_padding(std::uint64_t size) {
    Header rest;
    const auto padding = static_cast<std::size_t>((block - size % block) % block);
    stream_.read_all(rest.data(), padding);
  }

  const fs::path& archive_;
  const ArchiveTarget& target_;
  Stream stream_;
  std::int64_t left_out_ = 0;
};

}  // namespace

std::string inner_path(const std::string& path, const fs::path& archive) {
  const auto refuse = [&](const char* why) {
    throw FormatError(fmt::format("{}: its entry '{}' {}", archive.string(), path, why));
  };
  if (path.empty() || path.find('\0') != std::string::npos) refuse("cannot be the name of a file");
  if (path.front() == '/') refuse("leads out of the folder");
  std::string result;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") refuse("leads out of the folder");
    if (part.size() > 255) refuse("is longer than names may be");
    if (part == "__MACOSX" || part.rfind("._", 0) == 0) return "";
    result += (result.empty() ? "" : "/") + part;
  }
  return result;
}

std::int64_t read_tar(const fs::path& archive, const ArchiveTarget& target) {
  return TarReader(archive, target).run();
}

}  // namespace dml
