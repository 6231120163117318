#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/fuzz/fuzz.hpp"

namespace dml::fuzz {

MemoryFile::MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("case", 0)) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written <= 0) std::abort();
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

std::filesystem::path MemoryFile::path() const {
  return "/proc/self/fd/" + std::to_string(descriptor_);
}

}  // namespace dml::fuzz
