#include "tests/places.hpp"

namespace dml::testing {

// The only file that knows the two folders: all others compile to the same object in every clone,
// so that a compiler cache serves them.
std::filesystem::path source_dir() { return DML_SOURCE_DIR; }
std::filesystem::path build_dir() { return DML_BINARY_DIR; }

}  // namespace dml::testing
