#include "engine/safetensors.hpp"

#include "tests/fuzz/fuzz.hpp"

DML_FUZZ(bytes) {
  const dml::fuzz::MemoryFile file(bytes);
  dml::fuzz::expect_only_errors([&] { dml::list_safetensors(file.path()); });
  dml::read_safetensors(file.path());
}
