#include <fmt/core.h>

#include <dnnl.hpp>

#include "engine/libraries.hpp"

namespace dml {
namespace {

std::string version() {
  const dnnl::version_t* v = dnnl::version();
  return fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
}

const bool noted = note_library("oneDNN", version());

}  // namespace
}  // namespace dml
