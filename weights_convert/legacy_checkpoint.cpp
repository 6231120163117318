#include <fmt/format.h>

#include <cstring>

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "weights_convert/checkpoint.hpp"
#include "weights_convert/cursor.hpp"
#include "weights_convert/pickle.hpp"

namespace dml::weights {
namespace {

/// 0x1950A86A20F9469CFC6C, little-endian as a pickle holds it.
constexpr std::string_view magic("\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 10);
constexpr std::int64_t known_version = 1001;

class LegacyCheckpoint : public Checkpoint {
 public:
  explicit LegacyCheckpoint(const std::filesystem::path& file)
      : Checkpoint(file.string(), StorageTable(std::filesystem::file_size(file), true)),
        bytes_(read_file(file)) {
    check_magic(next_pickle("magic number", nullptr));
    check_version(next_pickle("protocol version", nullptr));
    check_system(next_pickle("system information", nullptr));
    tree_ = std::make_unique<Tree>(next_pickle("object", &storages_));
    const Tree keys = next_pickle("list of storages", nullptr);
    find_storages(keys);
    where_ += ": object";
  }

  const Tree& tree() const override { return *tree_; }

  std::uint64_t held() const override { return bytes_.size() + tree_->used(); }

  Tensor load(std::uint32_t index) const override {
    const StorageEntry& entry = storages_.entries()[index];
    const Tensor elements = Tensor::empty({entry.count}, entry.type);
    if (elements.bytes() > 0)
      std::memcpy(elements.raw_bytes(), bytes_.data() + offsets_[index], elements.bytes());
    return elements;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", where_, what));
  }

  Tree next_pickle(const char* what, StorageTable* storages) {
    const std::string_view rest = std::string_view(bytes_).substr(next_);
    Tree tree = read_pickle(rest, fmt::format("{}: {}", where_, what), value_limit(bytes_.size()),
                            storages, next_);
    next_ += tree.end;
    return tree;
  }

  void check_magic(const Tree& tree) const {
    if (tree.root.kind != Kind::big || tree.text(tree.root) != magic)
      fail("the magic number of torch.save is missing; this is no file that torch wrote");
  }

  void check_version(const Tree& tree) const {
    if (tree.root.kind != Kind::integer)
      fail(fmt::format("the protocol version is {}", name_of(tree.root.kind)));
    if (tree.root.integer != known_version)
      fail(fmt::format("protocol version {} is not supported ({} is)", tree.root.integer,
                       known_version));
  }

  void check_system(const Tree& tree) const {
    if (tree.root.kind != Kind::dict)
      fail(fmt::format("the system information is {}, not a dict", name_of(tree.root.kind)));
    const std::vector<Value>& items = tree.at(tree.root).items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].kind == Kind::text && tree.text(items[i]) == "little_endian" &&
          items[i + 1].kind == Kind::boolean && items[i + 1].integer == 0)
        fail("written on a big-endian machine, which the old format does not convert");
  }

  /// Walks the raw section: for each key its count and elements.
  void find_storages(const Tree& keys) {
    if (keys.root.kind != Kind::list)
      fail(fmt::format("the list of storages is {}", name_of(keys.root.kind)));
    std::unordered_map<std::string_view, std::size_t> known;
    for (std::size_t i = 0; i < storages_.entries().size(); ++i)
      known.emplace(storages_.entries()[i].key, i);
    offsets_.assign(storages_.entries().size(), 0);
    for (const Value& key : keys.at(keys.root).items) {
      const std::string_view name = key.kind == Kind::text ? keys.text(key) : "";
      const auto found = known.find(name);
      if (found == known.end())
        fail(
            fmt::format("the list of storages names '{}', which no tensor uses or which occurs "
                        "twice",
                        shown(name)));
      place(found->second);
      known.erase(found);
    }
    if (!known.empty()) fail(fmt::format("storage '{}' has no data", shown(known.begin()->first)));
  }

  void place(std::size_t index) {
    const StorageEntry& entry = storages_.entries()[index];
    Cursor cursor(std::string_view(bytes_).substr(next_));
    const std::string where = fmt::format("storage '{}' at byte {}", shown(entry.key), next_);
    if (cursor.left() < 8) fail(where + ": the file is cut short");
    const auto count = static_cast<std::int64_t>(cursor.little(8));
    if (count != entry.count)
      fail(fmt::format("{}: the data have {} elements, the tensors need {}", where, count,
                       entry.count));
    const std::uint64_t size = static_cast<std::uint64_t>(count) * item_size(entry.type);
    if (size > cursor.left())
      fail(fmt::format("{}: {} bytes are needed, {} are left; the file is cut short", where, size,
                       cursor.left()));
    offsets_[index] = next_ + 8;
    next_ += 8 + size;
  }

  std::string bytes_;
  std::uint64_t next_ = 0;
  std::unique_ptr<Tree> tree_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_legacy_checkpoint(const std::filesystem::path& file) {
  return std::make_unique<LegacyCheckpoint>(file);
}

}  // namespace dml::weights
