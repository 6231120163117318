#include <doctest/doctest.h>

#include <string>

#include "engine/kernel.hpp"

namespace dml {
namespace {

// Needs no GPU: it asks what was compiled and linked.
TEST_CASE("cuda: every kernel of a build with CUDA has its cuda slot") {
  if (!backend_state(Backend::cuda).built) {
    MESSAGE("skipped: this build has no CUDA backend");
    return;
  }
  std::string missing;
  for (const KernelBase* kernel : KernelBase::all())
    if (!kernel->has(Backend::cuda)) missing += std::string("\n  ") + kernel->name();
  CAPTURE(missing);
  CHECK(missing.empty());
  CHECK(KernelBase::all().size() > 20);
}

}  // namespace
}  // namespace dml
