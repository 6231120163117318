#include "weights_convert/pickle.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "weights_convert/assemble.hpp"

namespace {

using namespace dml::weights;

/// A checkpoint whose storages are all there, so that every pickle gets as far as it can.
class Invented final : public Checkpoint {
 public:
  explicit Invented(std::string_view bytes)
      : Checkpoint("case", StorageTable(file_size, bytes.size() % 2 == 1)),
        tree_(read_pickle(bytes, where_, value_limit(bytes.size()), &storages_)) {}
  const Tree& tree() const override { return tree_; }
  dml::Tensor load(std::uint32_t entry) const override {
    const StorageEntry& one = storages_.entries().at(entry);
    return dml::Tensor({one.count}, one.type);
  }
  static constexpr std::uint64_t file_size = 1 << 16;

 private:
  Tree tree_;
};

}  // namespace

DML_FUZZ(bytes) {
  const Invented checkpoint(bytes);
  assemble(checkpoint, flatten(checkpoint.tree()), Invented::file_size);
}
