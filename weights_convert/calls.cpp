#include "weights_convert/calls.hpp"

#include <fmt/format.h>

#include <optional>

#include "engine/error.hpp"

namespace dml::weights {
namespace {

enum class Meaning {
  ordered_dict,
  tensor,     ///< (storage, offset, size, stride)
  tensor_v2,  ///< (storage, offset, size, stride, requires_grad, hooks[, metadata])
  first,      ///< the first argument: a parameter is its tensor
  from_type,  ///< (function, type, arguments, state)
  tuple,      ///< torch.Size
  inert,      ///< not evaluated
};

struct Allowed {
  std::string_view module, name;
  Meaning meaning;
};

constexpr Allowed allowed[] = {
    {"collections", "OrderedDict", Meaning::ordered_dict},
    {"torch._utils", "_rebuild_tensor", Meaning::tensor},
    {"torch._utils", "_rebuild_tensor_v2", Meaning::tensor_v2},
    {"torch._utils", "_rebuild_parameter", Meaning::first},
    {"torch._utils", "_rebuild_parameter_with_state", Meaning::first},
    {"torch._tensor", "_rebuild_from_type_v2", Meaning::from_type},
    {"torch", "Size", Meaning::tuple},
    {"numpy.core.multiarray", "scalar", Meaning::inert},
    {"numpy.core.multiarray", "_reconstruct", Meaning::inert},
    {"numpy._core.multiarray", "scalar", Meaning::inert},
    {"numpy._core.multiarray", "_reconstruct", Meaning::inert},
    {"numpy", "dtype", Meaning::inert},
    {"_codecs", "encode", Meaning::inert},
    {"copy_reg", "_reconstructor", Meaning::inert},
    {"copyreg", "_reconstructor", Meaning::inert},
    {"collections", "Counter", Meaning::inert},
    {"collections", "defaultdict", Meaning::inert},
    {"builtins", "set", Meaning::inert},
    {"builtins", "complex", Meaning::inert},
    {"builtins", "bytearray", Meaning::inert},
    {"__builtin__", "set", Meaning::inert},
    {"__builtin__", "complex", Meaning::inert},
    {"__builtin__", "bytearray", Meaning::inert},
    {"torch", "device", Meaning::inert},
    {"torch.serialization", "_get_layout", Meaning::inert},
    {"datetime", "date", Meaning::inert},
    {"datetime", "time", Meaning::inert},
    {"datetime", "datetime", Meaning::inert},
    {"datetime", "timedelta", Meaning::inert},
    {"datetime", "timezone", Meaning::inert},
    {"pathlib", "Path", Meaning::inert},
    {"pathlib", "PosixPath", Meaning::inert},
    {"pathlib", "WindowsPath", Meaning::inert},
    {"pathlib", "PurePath", Meaning::inert},
    {"pathlib", "PurePosixPath", Meaning::inert},
    {"pathlib", "PureWindowsPath", Meaning::inert},
};

/// Functions of torch that make tensors of a kind that is not supported.
constexpr std::pair<std::string_view, std::string_view> unsupported[] = {
    {"_rebuild_sparse_tensor", "sparse tensors"},
    {"_rebuild_sparse_csr_tensor", "sparse tensors"},
    {"_rebuild_qtensor", "quantised tensors"},
    {"_rebuild_meta_tensor_no_storage", "tensors without data (device meta)"},
    {"_rebuild_device_tensor_from_numpy", "tensors of other devices"},
    {"_rebuild_device_tensor_from_cpu_tensor", "tensors of other devices"},
    {"_rebuild_nested_tensor", "nested tensors"},
    {"_rebuild_wrapper_subclass", "tensors of other classes"},
};

Meaning meaning_of(const Tree& tree, const Value& function) {
  if (function.kind != Kind::global)
    throw FormatError(
        fmt::format("{} is called; only torch's own functions may be", name_of(function.kind)));
  const std::vector<Value>& names = tree.at(function).items;
  const std::string_view module = tree.text(names[0]), name = tree.text(names[1]);
  for (const Allowed& one : allowed)
    if (module == one.module && name == one.name) return one.meaning;
  if (module == "torch._utils")
    for (const auto& [known, what] : unsupported)
      if (name == known)
        throw FormatError(
            fmt::format("{} ({}) are not supported", what, tree.global_name(function)));
  throw FormatError(
      fmt::format("the file asks to call {}, which no file of weights needs; nothing "
                  "was run",
                  tree.global_name(function)));
}

void want_arguments(const Tree& tree, const Value& function, std::size_t found, std::size_t least,
                    std::size_t most) {
  if (found < least || found > most)
    throw FormatError(fmt::format("{} is given {} arguments", tree.global_name(function), found));
}

/// A dict out of nothing or of one list of [key, value] pairs (written by Python 2).
Value ordered_dict(Tree& tree, const Value& function, const std::vector<Value>& arguments,
                   std::size_t position) {
  want_arguments(tree, function, arguments.size(), 0, 1);
  std::vector<Value> items;
  if (!arguments.empty()) {
    if (arguments[0].kind != Kind::list && arguments[0].kind != Kind::tuple)
      throw FormatError(fmt::format("an OrderedDict is made of {}, not of a list of pairs",
                                    name_of(arguments[0].kind)));
    for (const Value& pair : tree.at(arguments[0]).items) {
      const bool two =
          (pair.kind == Kind::list || pair.kind == Kind::tuple) && tree.at(pair).items.size() == 2;
      if (!two) throw FormatError("an OrderedDict is made of something that is no pair");
      const std::vector<Value>& both = tree.at(pair).items;
      if (!hashable(tree, both[0])) throw FormatError("a key of an OrderedDict cannot be a key");
      items.insert(items.end(), both.begin(), both.end());
    }
  }
  return tree.add(Kind::dict, std::move(items), position);
}

Value tensor(Tree& tree, const StorageTable* storages, const std::vector<Value>& arguments,
             std::size_t position) {
  if (storages == nullptr) throw FormatError("a tensor stands where none can be");
  const std::vector<Value> description(arguments.begin(), arguments.begin() + 4);
  const Value value = tree.add(Kind::tensor, description, position);
  static_cast<void>(storages->view(tree, value));  // also of tensors that nobody will ask for
  return value;
}

}  // namespace

Value described_call(Tree& tree, const StorageTable* storages, const Value& function,
                     const Value& arguments, std::size_t position) {
  Value called = function, given = arguments;
  constexpr int deepest = 8;
  for (int depth = 0; depth < deepest; ++depth) {
    if (given.kind != Kind::tuple)
      throw FormatError(
          fmt::format("the arguments of a call are {}, not a tuple", name_of(given.kind)));
    const Meaning meaning = meaning_of(tree, called);
    const std::vector<Value>& items = tree.at(given).items;
    switch (meaning) {
      case Meaning::ordered_dict:
        return ordered_dict(tree, called, items, position);
      case Meaning::tensor:
        want_arguments(tree, called, items.size(), 4, 4);
        return tensor(tree, storages, items, position);
      case Meaning::tensor_v2:
        want_arguments(tree, called, items.size(), 6, 7);
        return tensor(tree, storages, items, position);
      case Meaning::first:
        want_arguments(tree, called, items.size(), 3, 4);
        if (items[0].kind != Kind::tensor)
          throw FormatError(
              fmt::format("a parameter is made of {}, not of a tensor", name_of(items[0].kind)));
        return items[0];
      case Meaning::tuple:
        want_arguments(tree, called, items.size(), 1, 1);
        if (items[0].kind != Kind::tuple && items[0].kind != Kind::list)
          throw FormatError(fmt::format("a size is made of {}", name_of(items[0].kind)));
        return tree.add(Kind::tuple, tree.at(items[0]).items, position);
      case Meaning::inert:
        return tree.add(Kind::opaque, {called}, position);
      case Meaning::from_type:
        want_arguments(tree, called, items.size(), 4, 4);
        called = items[0];
        given = items[2];
    }
  }
  throw FormatError("calls of _rebuild_from_type_v2 are nested too deeply");
}

}  // namespace dml::weights
