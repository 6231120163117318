#include "tests/fuzz/fuzz.hpp"
#include "weights_convert/weights.hpp"
#include "weights_convert/zip_archive.hpp"

DML_FUZZ(bytes) {
  const dml::fuzz::MemoryFile file(bytes);
  dml::fuzz::expect_only_errors([&] {
    const dml::weights::ZipArchive archive(file.path());
    for (const auto& [name, entry] : archive.entries())
      dml::fuzz::expect_only_errors([&, name = name] { archive.text(name); });
  });
  dml::weights::read_weights(file.path());
}
