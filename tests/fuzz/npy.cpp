#include "engine/npy.hpp"

#include "tests/fuzz/fuzz.hpp"

DML_FUZZ(bytes) {
  const dml::fuzz::MemoryFile file(bytes);
  dml::read_npy(file.path());
}
