#include "engine/preprocessing.hpp"
#include "tests/fuzz/fuzz.hpp"

DML_FUZZ(bytes) {
  const dml::Preprocessing found = dml::preprocessing_from_json(std::string(bytes));
  if (!(dml::preprocessing_from_json(dml::to_json(found)) == found)) __builtin_trap();
}
