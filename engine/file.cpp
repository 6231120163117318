#include "engine/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "engine/error.hpp"
#include "engine/input_file.hpp"

namespace dml {
namespace {

/// A file being written; whatever is not committed is removed.
class Writer {
 public:
  Writer(std::filesystem::path file, std::filesystem::path target, int flags)
      : file_(std::move(file)), target_(std::move(target)) {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
    if (descriptor_ < 0) fail("cannot be written");
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!committed_ && file_ != target_) ::unlink(file_.c_str());
  }

  void append(const void* bytes, std::size_t size) {
    const char* next = static_cast<const char*>(bytes);
    while (size > 0) {
      const ssize_t done = ::write(descriptor_, next, std::min<std::size_t>(size, 1U << 30U));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("writing failed");
      next += done;
      size -= static_cast<std::size_t>(done);
    }
  }

  /// Syncs, closes and gives the file its name.
  void commit() {
    const bool renamed = file_ != target_;
    if (renamed && ::fsync(descriptor_) != 0) fail("writing failed");
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("writing failed");
    if (!renamed) return;
    if (::rename(file_.c_str(), target_.c_str()) != 0) fail("cannot be replaced");
    committed_ = true;
    sync_folder();
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    const std::string reason = std::strerror(errno);
    throw Error(target_.string() + ": " + what + ": " + reason);
  }

  /// Without this a power cut may undo the rename. Some file systems refuse; nothing is lost then.
  void sync_folder() const {
    const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
    const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) return;
    ::fsync(opened);
    ::close(opened);
  }

  std::filesystem::path file_, target_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace

std::string read_file(const std::filesystem::path& file) {
  const InputFile input(file);
  return input.text(0, input.size());
}

void write_file_atomically(const std::filesystem::path& file, std::string_view contents) {
  write_file_atomically(file,
                        [&](const auto& append) { append(contents.data(), contents.size()); });
}

void write_file_atomically(
    const std::filesystem::path& file,
    const std::function<void(const std::function<void(const void*, std::size_t)>& append)>& write) {
  std::error_code none;
  const auto status = std::filesystem::status(file, none);
  if (std::filesystem::is_directory(status))
    throw Error(file.string() + ": cannot be written: it is a folder");
  // A device or a pipe (/dev/stdout) has no contents to keep and must not be renamed over.
  const bool special = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
  std::filesystem::path target = file;
  if (!special && std::filesystem::is_symlink(file, none))
    target = std::filesystem::weakly_canonical(file, none);  // the link stays, its target changes
  std::filesystem::path temporary = target;
  if (!special) temporary += ".tmp-" + std::to_string(::getpid());
  Writer writer(temporary, target, special ? 0 : O_CREAT | O_TRUNC | O_NOFOLLOW);
  write([&](const void* bytes, std::size_t size) { writer.append(bytes, size); });
  writer.commit();
}

}  // namespace dml
