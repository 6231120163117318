#include <fmt/format.h>

#include "apps/datasets/commands.hpp"
#include "apps/datasets/unpack.hpp"

namespace dml {

int prepare_dataset(const DataOptions& options, const Terminal& terminal) {
  // The command line cannot tell the last word from the others.
  DataOptions place = options;
  place.folder = place.archives.back();
  place.archives.pop_back();
  place.name = Registry<Dataset>::find(options.name).about.name;
  const Unpacked done = unpack(place.archives, place.folder);
  terminal.note(fmt::format("{} files, {:.1f} MB, unpacked into {}", with_commas(done.files),
                            static_cast<double>(done.bytes) / 1e6, place.folder));
  if (done.left_out > 0)
    terminal.note(fmt::format("{} links or devices in the archives were left out", done.left_out));
  return verify_dataset(place, terminal);
}

}  // namespace dml
