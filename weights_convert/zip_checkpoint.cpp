#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"
#include "weights_convert/checkpoint.hpp"
#include "weights_convert/pickle.hpp"
#include "weights_convert/zip_archive.hpp"

namespace dml::weights {
namespace {

constexpr std::string_view pickle_name = "data.pkl";

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// What the archive is when it is no checkpoint.
std::string other_contents(const ZipArchive& archive) {
  const auto& entries = archive.entries();
  if (entries.empty()) return "the archive is empty";
  const bool arrays = std::all_of(entries.begin(), entries.end(),
                                  [](const auto& one) { return ends_with(one.first, ".npy"); });
  if (arrays) return "a NumPy archive (.npz); unpack it and give the folder of .npy files";
  return "the archive has no data.pkl: it is no file that torch.save wrote";
}

/// The folder inside the archive that holds data.pkl, with a slash at its end; "" for none.
std::string find_root(const ZipArchive& archive) {
  const std::string file = archive.input().path().string();
  std::vector<std::string> roots;
  for (const auto& [name, entry] : archive.entries())
    if (name == pickle_name || ends_with(name, "/data.pkl"))
      roots.push_back(name.substr(0, name.size() - pickle_name.size()));
  if (roots.empty()) throw FormatError(fmt::format("{}: {}", file, other_contents(archive)));
  if (roots.size() > 1)
    throw FormatError(
        fmt::format("{}: '{}data.pkl' and '{}data.pkl' are both there; which one is "
                    "meant?",
                    file, shown(roots[0]), shown(roots[1])));
  if (archive.find(roots[0] + "constants.pkl") != nullptr)
    throw FormatError(
        fmt::format("{}: a TorchScript archive (constants.pkl, code/); save "
                    "model.state_dict() with torch.save instead",
                    file));
  return roots[0];
}

/// Reverses the bytes of every element.
void swap_bytes(const Tensor& tensor) {
  const std::size_t item = item_size(tensor.dtype());
  std::byte* bytes = tensor.raw_bytes();
  for (std::size_t at = 0; item > 1 && at < tensor.bytes(); at += item)
    std::reverse(bytes + at, bytes + at + item);
}

class ZipCheckpoint : public Checkpoint {
 public:
  explicit ZipCheckpoint(const std::filesystem::path& file)
      : Checkpoint(file.string(),
                   StorageTable(2 * std::filesystem::file_size(file) + (8U << 20U), false)),
        archive_(file),
        root_(find_root(archive_)),
        big_endian_(read_byte_order()),
        pickle_(archive_.text(root_ + std::string(pickle_name))) {
    where_ = fmt::format("{}: {}{}", file.string(), shown(root_), pickle_name);
    tree_ = std::make_unique<Tree>(
        read_pickle(pickle_, where_, value_limit(archive_.input().size()), &storages_));
  }

  const Tree& tree() const override { return *tree_; }

  std::uint64_t load_bytes(std::uint32_t index) const override {
    return archive_.usable(root_ + "data/" + storages_.entries()[index].key).size;
  }
  std::uint64_t held() const override { return pickle_.size() + tree_->used(); }

  Tensor load(std::uint32_t index) const override {
    const StorageEntry& entry = storages_.entries()[index];
    const std::string name = root_ + "data/" + entry.key;
    const ZipEntry& record = archive_.usable(name);
    const std::uint64_t needed = static_cast<std::uint64_t>(entry.count) * item_size(entry.type);
    if (record.size < needed)
      throw FormatError(
          fmt::format("{}: {}: the record holds {} bytes, its {} elements of {} need "
                      "{}",
                      archive_.input().path().string(), shown(name), record.size, entry.count,
                      dml::name_of(entry.type), needed));
    const Tensor bytes = Tensor::empty({static_cast<std::int64_t>(record.size)}, DType::u8);
    archive_.read(name, {bytes.raw_bytes(), bytes.bytes()});
    Tensor elements(bytes.storage(), {entry.count}, entry.type);
    if (big_endian_) swap_bytes(elements);
    return elements;
  }

 private:
  bool read_byte_order() const {
    const std::string name = root_ + "byteorder";
    if (archive_.find(name) == nullptr) return false;
    const std::string order = archive_.usable(name).size <= 16 ? archive_.text(name) : "";
    if (order == "little" || order == "little\n") return false;
    if (order == "big" || order == "big\n") return true;
    throw FormatError(fmt::format("{}: {}: the byte order is neither little nor big",
                                  archive_.input().path().string(), shown(name)));
  }

  ZipArchive archive_;
  std::string root_;
  bool big_endian_;
  std::string pickle_;
  std::unique_ptr<Tree> tree_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_zip_checkpoint(const std::filesystem::path& file) {
  return std::make_unique<ZipCheckpoint>(file);
}

}  // namespace dml::weights
