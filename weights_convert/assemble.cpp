#include "weights_convert/assemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "engine/error.hpp"

namespace dml::weights {
namespace {

constexpr std::uint64_t megabyte = std::uint64_t{1} << 20U;

/// Copies strided elements in row-major order.
void copy_strided(const Tensor& storage, const TensorView& view, const Tensor& to) {
  const std::size_t item = item_size(view.type);
  const std::size_t rank = view.shape.size();
  std::vector<std::int64_t> index(rank, 0);
  std::int64_t from = view.first;
  for (std::int64_t i = 0; i < to.size(); ++i) {
    std::memcpy(to.raw_bytes() + static_cast<std::size_t>(i) * item,
                storage.raw_bytes() + static_cast<std::size_t>(from) * item, item);
    for (std::size_t d = rank; d-- > 0;) {
      from += view.strides[d];
      if (++index[d] < view.shape[d]) break;
      from -= view.strides[d] * view.shape[d];
      index[d] = 0;
    }
  }
}

class Assembler {
 public:
  Assembler(const Checkpoint& checkpoint, std::uint64_t file_size)
      : checkpoint_(checkpoint),
        memory_left_(memory_left(checkpoint, file_size)),
        output_left_(16 * file_size + 64 * megabyte) {}

  Tensor tensor(const Value& value) {
    const auto known = tensors_.find(value.index);
    if (known != tensors_.end()) return spent(known->second);
    const TensorView view = checkpoint_.storages().view(checkpoint_.tree(), value);
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(count(view.shape)) * item_size(view.type);
    if (!view.contiguous() && bytes > memory_left_)
      throw FormatError(
          fmt::format("shape {} spreads few numbers over {} MB; that much is not "
                      "taken from a file of this size",
                      to_string(view.shape), bytes / megabyte));
    const Tensor storage = load(view.entry);
    Tensor result;
    if (view.contiguous()) {
      result = Tensor(storage.storage(), view.shape, view.type, view.first);
    } else {
      memory_left_ -= bytes;
      result = Tensor::empty(view.shape, view.type);
      copy_strided(storage, view, result);
    }
    tensors_.emplace(value.index, result);
    return spent(result);
  }

 private:
  static std::uint64_t memory_left(const Checkpoint& checkpoint, std::uint64_t file_size) {
    const std::uint64_t most = memory_limit(file_size), held = checkpoint.held();
    return std::min(2 * file_size + 16 * megabyte, most > held ? most - held : 0);
  }

  Tensor load(std::uint32_t entry) {
    const auto known = storages_.find(entry);
    if (known != storages_.end()) return known->second;
    const std::uint64_t bytes = checkpoint_.load_bytes(entry);
    if (bytes > memory_left_) throw FormatError("the records unpack to far more than the file");
    memory_left_ -= bytes;
    return storages_.emplace(entry, checkpoint_.load(entry)).first->second;
  }

  /// Many names of one large storage would fill the disk.
  Tensor spent(const Tensor& tensor) {
    if (tensor.bytes() > output_left_)
      throw FormatError(
          "the tensors share storages so often that they unfold to far more than the "
          "file");
    output_left_ -= tensor.bytes();
    return tensor;
  }

  const Checkpoint& checkpoint_;
  std::uint64_t memory_left_, output_left_;
  std::unordered_map<std::uint32_t, Tensor> storages_;  ///< by entry
  std::unordered_map<std::uint32_t, Tensor> tensors_;   ///< by object
};

}  // namespace

std::uint64_t Checkpoint::load_bytes(std::uint32_t entry) const {
  const StorageEntry& one = storages_.entries()[entry];
  return static_cast<std::uint64_t>(one.count) * item_size(one.type);
}

NamedTensors assemble(const Checkpoint& checkpoint, const Flattened& flattened,
                      std::uint64_t file_size) {
  Assembler assembler(checkpoint, file_size);
  NamedTensors tensors;
  for (const Flattened::Named& one : flattened.tensors) {
    try {
      tensors.emplace_back(one.name, assembler.tensor(one.tensor));
    } catch (const FormatError& error) {
      // Messages about a record name the file already; the others need it.
      const std::string text = error.what();
      const std::string& where = checkpoint.where();
      const bool named = text.rfind(where.substr(0, where.find(": ")), 0) == 0;
      throw FormatError(named ? text
                              : fmt::format("{}: tensor '{}': {}", where, shown(one.name), text));
    }
  }
  return tensors;
}

}  // namespace dml::weights
