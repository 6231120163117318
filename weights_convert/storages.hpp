#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/dtype.hpp"
#include "engine/shape.hpp"
#include "weights_convert/tree.hpp"

namespace dml::weights {

/// The numbers of a torch storage as a persistent id names them.
struct StorageEntry {
  std::string key;
  DType type;
  std::int64_t count;  ///< elements; of several ids with one key the largest
};

/// A storage value: a range of elements of an entry.
struct StorageView {
  std::uint32_t entry;
  std::int64_t first;
  std::int64_t count;
};

/// Strides over a storage, checked: every element lies inside it.
struct TensorView {
  std::uint32_t entry = 0;
  DType type = DType::f32;
  std::int64_t first = 0;  ///< element of the entry
  Shape shape;
  std::vector<std::int64_t> strides;

  /// Whether the elements lie packed and in row-major order.
  bool contiguous() const;
};

/// All storages that the persistent ids of a pickle name, also those of tensors that are dropped.
class StorageTable {
 public:
  /// @param file_size    no storage can hold more bytes.
  /// @param with_views   the old format: a sixth member of the id may name a range.
  StorageTable(std::uint64_t file_size, bool with_views)
      : file_size_(file_size), with_views_(with_views) {}

  /// The storage that a persistent id (`('storage', type, key, location, count[, view])`) names.
  /// @throws FormatError for anything else.
  Value add(Tree& tree, const Value& id);
  /// The place of a tensor's elements. @throws FormatError when some lie outside its storage.
  TensorView view(const Tree& tree, const Value& tensor) const;

  const std::vector<StorageEntry>& entries() const { return entries_; }

 private:
  std::uint32_t entry_of(const std::string& key, DType type, std::int64_t count);

  std::uint64_t file_size_;
  bool with_views_;
  std::vector<StorageEntry> entries_;
  std::unordered_map<std::string, std::uint32_t> by_key_;
  std::vector<StorageView> views_;
};

}  // namespace dml::weights
