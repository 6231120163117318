#include "tests/fuzz/fuzz.hpp"
#include "weights_convert/checkpoint.hpp"
#include "weights_convert/weights.hpp"

DML_FUZZ(bytes) {
  const dml::fuzz::MemoryFile file(bytes);
  dml::fuzz::expect_only_errors([&] {
    const auto checkpoint = dml::weights::open_legacy_checkpoint(file.path());
    for (std::uint32_t i = 0; i < checkpoint->storages().entries().size(); ++i) checkpoint->load(i);
  });
  dml::weights::read_weights(file.path());
}
