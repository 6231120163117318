#include "weights_convert/storages.hpp"

#include <fmt/format.h>

#include <optional>

#include "engine/error.hpp"

namespace dml::weights {
namespace {

constexpr std::pair<std::string_view, DType> storage_types[] = {
    {"DoubleStorage", DType::f64},    {"FloatStorage", DType::f32}, {"HalfStorage", DType::f16},
    {"BFloat16Storage", DType::bf16}, {"LongStorage", DType::i64},  {"IntStorage", DType::i32},
    {"ShortStorage", DType::i16},     {"CharStorage", DType::i8},   {"ByteStorage", DType::u8},
    {"BoolStorage", DType::boolean}};

/// No more dimensions than any torch operation takes.
constexpr std::size_t most_dimensions = 64;

DType storage_type(const Tree& tree, const Value& value) {
  if (value.kind != Kind::global)
    throw FormatError(fmt::format("the type of a storage is {}, not a name", name_of(value.kind)));
  const std::vector<Value>& names = tree.at(value).items;
  const std::string_view module = tree.text(names[0]), name = tree.text(names[1]);
  if (module == "torch")
    for (const auto& [known, type] : storage_types)
      if (name == known) return type;
  if (name.rfind("Complex", 0) == 0)
    throw FormatError(
        fmt::format("storages of complex numbers ({}) are not supported", shown(name)));
  if (name.rfind('Q', 0) == 0)
    throw FormatError(fmt::format("quantised storages ({}) are not supported", shown(name)));
  throw FormatError(fmt::format("storages of type {} are not supported", tree.global_name(value)));
}

std::int64_t integer(const Value& value, const char* what) {
  if (value.kind != Kind::integer)
    throw FormatError(fmt::format("{} is {}, not a whole number", what, name_of(value.kind)));
  if (value.integer < 0) throw FormatError(fmt::format("{} is negative ({})", what, value.integer));
  return value.integer;
}

std::vector<std::int64_t> integers(const Tree& tree, const Value& value, const char* what) {
  if (value.kind != Kind::tuple && value.kind != Kind::list)
    throw FormatError(fmt::format("{} is {}, not a tuple", what, name_of(value.kind)));
  const std::vector<Value>& items = tree.at(value).items;
  if (items.size() > most_dimensions)
    throw FormatError(fmt::format("a tensor of {} dimensions; at most {} are supported",
                                  items.size(), most_dimensions));
  std::vector<std::int64_t> numbers;
  for (const Value& item : items) numbers.push_back(integer(item, what));
  return numbers;
}

/// Elements of a shape and the reach of its strides; nothing when 63 bits do not hold them.
struct Extent {
  std::int64_t count = 1, last = 0;
};
std::optional<Extent> extent_of(const TensorView& view) {
  Extent extent;
  for (std::size_t d = 0; d < view.shape.size(); ++d) {
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(extent.count, view.shape[d], &extent.count)) return std::nullopt;
    if (view.shape[d] == 0) continue;
    if (__builtin_mul_overflow(view.shape[d] - 1, view.strides[d], &reach) ||
        __builtin_add_overflow(extent.last, reach, &extent.last))
      return std::nullopt;
  }
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(extent.count, std::int64_t{8}, &bytes)) return std::nullopt;
  return extent;
}

}  // namespace

bool TensorView::contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 0) return true;
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

std::uint32_t StorageTable::entry_of(const std::string& key, DType type, std::int64_t count) {
  const auto [found, added] = by_key_.emplace(key, static_cast<std::uint32_t>(entries_.size()));
  if (added) {
    entries_.push_back({key, type, count});
    return found->second;
  }
  StorageEntry& known = entries_[found->second];
  if (known.type != type)
    throw FormatError(fmt::format("storage '{}' is used both as {} and as {}", shown(key),
                                  dml::name_of(known.type), dml::name_of(type)));
  known.count = std::max(known.count, count);
  return found->second;
}

Value StorageTable::add(Tree& tree, const Value& id) {
  if (id.kind != Kind::tuple)
    throw FormatError(fmt::format("a persistent id is {}, not a tuple", name_of(id.kind)));
  const std::vector<Value> items = tree.at(id).items;
  if (items.empty() || items[0].kind != Kind::text || tree.text(items[0]) != "storage") {
    const bool module = items.size() > 1 && items[0].kind == Kind::text &&
                        tree.text(items[0]) == "module" && items[1].kind == Kind::global;
    throw FormatError(module ? fmt::format("the file holds a whole module of class {}; save its "
                                           "state_dict() instead",
                                           tree.global_name(items[1]))
                             : std::string("a persistent id is not that of a storage"));
  }
  const bool view = with_views_ && items.size() == 6;
  if (items.size() != 5 && !view)
    throw FormatError(
        fmt::format("the persistent id of a storage has {} members, not 5", items.size()));
  const DType type = storage_type(tree, items[1]);
  if (items[2].kind != Kind::text)
    throw FormatError(
        fmt::format("the key of a storage is {}, not a text", name_of(items[2].kind)));
  const std::string key(tree.text(items[2]));
  if (key.empty() || key.find('/') != std::string::npos || key.find('\0') != std::string::npos)
    throw FormatError(fmt::format("'{}' is no key of a storage", shown(key)));
  const std::int64_t count = integer(items[4], "the size of a storage");
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(count, static_cast<std::int64_t>(item_size(type)), &bytes) ||
      static_cast<std::uint64_t>(bytes) > file_size_)
    throw FormatError(fmt::format("storage '{}' claims {} elements of {}, more than the file holds",
                                  shown(key), count, dml::name_of(type)));
  StorageView range{entry_of(key, type, count), 0, count};
  if (view && items[5].kind != Kind::none) {
    if (items[5].kind != Kind::tuple || tree.at(items[5]).items.size() != 3)
      throw FormatError("the view of a storage is not (key, offset, size)");
    const std::vector<Value> part = tree.at(items[5]).items;
    range.first = integer(part[1], "the offset of a storage view");
    range.count = integer(part[2], "the size of a storage view");
    if (range.first > count || range.count > count - range.first)
      throw FormatError(fmt::format("a view of elements {} to {} runs past storage '{}' of {}",
                                    range.first, range.first + range.count, shown(key), count));
  }
  tree.charge(2 * sizeof(StorageView) + 2 * sizeof(StorageEntry) + 2 * key.size());
  Value value;
  value.kind = Kind::storage;
  value.index = static_cast<std::uint32_t>(views_.size());
  views_.push_back(range);
  return value;
}

TensorView StorageTable::view(const Tree& tree, const Value& tensor) const {
  const std::vector<Value>& items = tree.at(tensor).items;
  if (items[0].kind != Kind::storage)
    throw FormatError(
        fmt::format("a tensor stands on {}, not on a storage", name_of(items[0].kind)));
  const StorageView& storage = views_[items[0].index];
  TensorView view;
  view.entry = storage.entry;
  view.type = entries_[storage.entry].type;
  const std::int64_t offset = integer(items[1], "the offset of a tensor");
  view.shape = integers(tree, items[2], "the size of a tensor");
  view.strides = integers(tree, items[3], "the stride of a tensor");
  if (view.shape.size() != view.strides.size())
    throw FormatError(fmt::format("a tensor has {} sizes and {} strides", view.shape.size(),
                                  view.strides.size()));
  const std::optional<Extent> extent = extent_of(view);
  if (!extent)
    throw FormatError(fmt::format("a tensor of shape {} is too large", to_string(view.shape)));
  const bool inside = extent->count == 0
                          ? offset <= storage.count
                          : offset < storage.count && extent->last < storage.count - offset;
  if (!inside)
    throw FormatError(
        fmt::format("a tensor of shape {} at offset {} runs past its storage of {} elements",
                    to_string(view.shape), offset, storage.count));
  view.first = storage.first + offset;
  return view;
}

}  // namespace dml::weights
