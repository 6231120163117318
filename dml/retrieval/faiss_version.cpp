#include <faiss/Index.h>
#include <fmt/core.h>

#include "engine/libraries.hpp"

namespace dml {
namespace {

const bool noted = note_library("Faiss", fmt::format("{}.{}.{}", FAISS_VERSION_MAJOR,
                                                     FAISS_VERSION_MINOR, FAISS_VERSION_PATCH));

}  // namespace
}  // namespace dml
