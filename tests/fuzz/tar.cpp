#include "data/archive/tar.hpp"

#include "tests/fuzz/fuzz.hpp"

DML_FUZZ(bytes) {
  const dml::fuzz::MemoryFile file(bytes);
  dml::read_tar(file.path(),
                {[](const std::string&, std::uint64_t) {}, [](std::string_view) {}, [] {}});
}
