#include "apps/datasets/unpack.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "apps/common/interrupt.hpp"
#include "data/archive/tar.hpp"
#include "engine/error.hpp"
#include "engine/interrupted.hpp"
#include "weights_convert/zip_archive.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// A folder that is gone with everything in it when this is.
class Workplace {
 public:
  explicit Workplace(fs::path path) : path_(std::move(path)) {
    std::error_code failure;
    fs::create_directories(path_, failure);
    if (failure)
      throw DataError(
          fmt::format("{}: the folder cannot be made: {}", path_.string(), failure.message()));
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Writes the files of archives below a folder that no one else writes to.
class Writer {
 public:
  Writer(fs::path folder, Unpacked& result) : folder_(std::move(folder)), result_(result) {}

  void begin(const std::string& path) {
    if (!keep_going()) throw Interrupted("interrupted while archives were unpacked");
    file_ = folder_ / path;
    fs::create_directories(file_.parent_path());
    if (fs::exists(file_)) throw FormatError(fmt::format("'{}' is in the archives twice", path));
    errno = 0;
    out_.open(file_, std::ios::binary);
    check();
  }
  void append(std::string_view bytes) {
    errno = 0;
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    result_.bytes += bytes.size();
    check();
  }
  void end() {
    errno = 0;
    out_.close();
    check();
    ++result_.files;
  }

 private:
  void check() const {
    if (!out_)
      throw Error(fmt::format("{}: writing failed: {}", file_.string(), std::strerror(errno)));
  }

  fs::path folder_;
  Unpacked& result_;
  fs::path file_;
  std::ofstream out_;
};

std::string first_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in || fs::is_directory(file))
    throw DataError(file.string() + ": cannot be read" +
                    (fs::exists(file) ? "" : ": there is no such file"));
  std::string bytes(512, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

bool is_zip(const std::string& head) { return head.rfind("PK\3\4", 0) == 0; }
bool is_tar(const std::string& head) {
  return head.rfind("\x1F\x8B", 0) == 0 ||
         (head.size() == 512 && head.compare(257, 5, "ustar") == 0);
}

void unpack_zip(const fs::path& archive, Writer& writer) {
  const weights::ZipArchive zip(archive);
  for (const auto& [name, entry] : zip.entries()) {
    const std::string path = inner_path(name, archive);
    if (path.empty() || name.back() == '/') continue;
    writer.begin(path);
    writer.append(zip.text(name));
    writer.end();
  }
}

void take_file(const fs::path& file, Writer& writer) {
  std::ifstream in(file, std::ios::binary);
  std::string piece(1 << 20, '\0');
  writer.begin(file.filename().string());
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0)
    writer.append({piece.data(), static_cast<std::size_t>(in.gcount())});
  writer.end();
}

}  // namespace

Unpacked unpack(const std::vector<std::string>& archives, const fs::path& folder) {
  Unpacked result;
  const Workplace place(folder / fmt::format(".unpacking-{}", ::getpid()));
  Writer writer(place.path(), result);
  for (const std::string& archive : archives) {
    const std::string head = first_bytes(archive);
    if (is_zip(head)) {
      unpack_zip(archive, writer);
    } else if (is_tar(head)) {
      result.left_out += read_tar(
          archive, {[&](const std::string& path, std::uint64_t) { writer.begin(path); },
                    [&](std::string_view bytes) { writer.append(bytes); }, [&] { writer.end(); }});
    } else {
      take_file(archive, writer);
    }
  }
  for (const auto& entry : fs::directory_iterator(place.path())) {
    const fs::path target = folder / entry.path().filename();
    if (fs::exists(target))
      throw DataError(target.string() +
                      " is there already; nothing was unpacked\n  move it away, or name another "
                      "folder");
    result.placed.push_back(target);
  }
  for (const fs::path& target : result.placed) fs::rename(place.path() / target.filename(), target);
  return result;
}

}  // namespace dml
