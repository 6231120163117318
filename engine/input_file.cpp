#include "engine/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/error.hpp"

namespace dml {

InputFile::InputFile(std::filesystem::path file) : path_(std::move(file)) {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw DataError(path_.string() + ": " + std::strerror(errno));
  struct stat state {};
  const bool known = ::fstat(descriptor_, &state) == 0;
  if (!known || !S_ISREG(state.st_mode)) {
    const std::string reason = !known                   ? std::strerror(errno)
                               : S_ISDIR(state.st_mode) ? "is a folder, a file is needed"
                                                        : "is not a regular file";
    ::close(descriptor_);
    throw DataError(path_.string() + ": " + reason);
  }
  size_ = static_cast<std::uint64_t>(state.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::require(std::uint64_t offset, std::uint64_t length) const {
  if (offset > size_ || length > size_ - offset)
    throw FormatError(path_.string() + ": " + std::to_string(length) +
                      " bytes are needed at byte " + std::to_string(offset) +
                      ", but the file has only " + std::to_string(size_) +
                      "; it is cut short or damaged");
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> to) const {
  require(offset, to.size());
  while (!to.empty()) {
    const std::size_t piece = std::min<std::size_t>(to.size(), std::size_t{1} << 30U);
    const ssize_t got = ::pread(descriptor_, to.data(), piece, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw DataError(path_.string() + ": " + std::strerror(errno));
    if (got == 0) throw DataError(path_.string() + ": became shorter while it was read");
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string InputFile::text(std::uint64_t offset, std::uint64_t length) const {
  require(offset, length);
  std::string result(static_cast<std::size_t>(length), '\0');
  read(offset, std::as_writable_bytes(std::span<char>(result)));
  return result;
}

}  // namespace dml
