#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/tensor.hpp"
#include "weights_convert/storages.hpp"
#include "weights_convert/tree.hpp"

namespace dml::weights {

/// A file that torch.save wrote: its object, read as data, and its numbers.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  /// The object that was saved.
  virtual const Tree& tree() const = 0;
  const StorageTable& storages() const { return storages_; }
  /// The elements of a storage, [count]. @throws FormatError when they are not whole.
  virtual Tensor load(std::uint32_t entry) const = 0;
  /// Bytes that load() will take.
  virtual std::uint64_t load_bytes(std::uint32_t entry) const;
  /// Bytes of memory that the checkpoint itself takes.
  virtual std::uint64_t held() const { return tree().used(); }
  /// "model.pth: data.pkl", for messages about the object.
  const std::string& where() const { return where_; }

 protected:
  Checkpoint(std::string where, StorageTable storages)
      : where_(std::move(where)), storages_(std::move(storages)) {}
  std::string where_;
  StorageTable storages_;
};

/// Opens a checkpoint in the zip format (torch 1.6 and later). @throws FormatError
std::unique_ptr<Checkpoint> open_zip_checkpoint(const std::filesystem::path& file);
/// Opens a checkpoint in the format before it: five pickles and the raw storages. @throws
/// FormatError
std::unique_ptr<Checkpoint> open_legacy_checkpoint(const std::filesystem::path& file);

/// Bytes that the values of a pickle in a file of that size may take. Python's objects of real
/// checkpoints stay far below; files made to exhaust memory do not.
constexpr std::uint64_t value_limit(std::uint64_t file_size) {
  return 2 * file_size + (std::uint64_t{24} << 20U);
}

/// Bytes that reading a file of that size may take in all, beside the program itself.
constexpr std::uint64_t memory_limit(std::uint64_t file_size) {
  return 4 * file_size + (std::uint64_t{32} << 20U);
}

}  // namespace dml::weights
