#include "weights_convert/flatten.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/error.hpp"

namespace dml::weights {
namespace {

constexpr std::size_t most_tensors = 65536;
constexpr std::size_t most_name_bytes = std::size_t{16} << 20U;
constexpr const char* wrappers[] = {"state_dict", "model_state_dict", "model",  "net",
                                    "network",    "module",           "weights"};

bool is_container(const Value& value) {
  return value.kind == Kind::dict || value.kind == Kind::list || value.kind == Kind::tuple;
}

/// A child of a container: its place among the items and how it is called.
struct Child {
  std::uint32_t item;  ///< index of the value
  std::uint32_t key;   ///< index of the key in a dict, position in a list
};

/// Knows which containers hold tensors, however deep, and lists their children by name.
class Contents {
 public:
  explicit Contents(const Tree& tree) : tree_(tree), holds_(tree.objects().size(), false) {
    find_holders();
  }

  /// Whether a value is a tensor or holds one.
  bool matters(const Value& value) const {
    return value.kind == Kind::tensor || (is_container(value) && holds_[value.index]);
  }

  /// Children that can have a name; of equal keys of a dict the last.
  std::vector<Child> children(const Object& object) const {
    std::vector<Child> found;
    const std::vector<Value>& items = object.items;
    if (object.kind != Kind::dict) {
      for (std::uint32_t i = 0; i < items.size(); ++i) found.push_back({i, i});
      return found;
    }
    std::unordered_set<std::string_view> texts;
    std::unordered_set<std::int64_t> numbers;
    for (std::size_t i = items.size(); i >= 2; i -= 2) {
      const Value& key = items[i - 2];
      const bool text = key.kind == Kind::text && texts.insert(tree_.text(key)).second;
      const bool number = key.kind == Kind::integer && numbers.insert(key.integer).second;
      if (text || number)
        found.push_back({static_cast<std::uint32_t>(i - 1), static_cast<std::uint32_t>(i - 2)});
    }
    std::reverse(found.begin(), found.end());
    return found;
  }

 private:
  /// Goes from the tensors up: containers that hold one, then those that hold these.
  void find_holders() {
    const std::deque<Object>& objects = tree_.objects();
    std::vector<std::uint32_t> first(objects.size() + 1, 0), parents, open;
    for (const bool count : {true, false}) {
      if (!count) {
        std::uint32_t sum = 0;
        for (std::uint32_t& one : first) sum += std::exchange(one, sum);
        parents.resize(sum);
      }
      for (std::uint32_t i = 0; i < objects.size(); ++i) {
        const Kind kind = objects[i].kind;
        if (kind != Kind::dict && kind != Kind::list && kind != Kind::tuple) continue;
        for (const Child& child : children(objects[i])) {
          const Value& value = objects[i].items[child.item];
          if (is_container(value)) {
            if (count) {
              ++first[value.index];
            } else {
              parents[first[value.index]++] = i;
            }
          } else if (value.kind == Kind::tensor && !holds_[i]) {
            holds_[i] = true;
            open.push_back(i);
          }
        }
      }
    }
    while (!open.empty()) {
      const std::uint32_t child = open.back();
      open.pop_back();
      // After filling, first[child] is where the parents of `child` end.
      for (std::uint32_t p = child == 0 ? 0 : first[child - 1]; p < first[child]; ++p)
        if (!holds_[parents[p]]) {
          holds_[parents[p]] = true;
          open.push_back(parents[p]);
        }
    }
  }

  const Tree& tree_;
  std::vector<bool> holds_;
};

/// Goes down from the root to every tensor, with a stack of its own.
class Walk {
 public:
  Walk(const Tree& tree, const Contents& contents)
      : tree_(tree), contents_(contents), on_path_(tree.objects().size(), false) {}

  Flattened run(const Value& root) {
    if (root.kind == Kind::tensor) {
      result_.tensors.push_back({"tensor", root});
      return std::move(result_);
    }
    enter(root);
    while (!path_.empty()) {
      Frame& frame = path_.back();
      const std::vector<Child>& list = relevant(frame.object);
      if (frame.next == list.size()) {
        on_path_[frame.object] = false;
        path_.pop_back();
        continue;
      }
      const Child child = list[frame.next++];
      name_.resize(frame.name_length);
      append_name(tree_.objects()[frame.object], child, path_.size() > 1);
      const Value& value = tree_.objects()[frame.object].items[child.item];
      if (value.kind == Kind::tensor) {
        add(value);
      } else {
        enter(value);
      }
    }
    return std::move(result_);
  }

 private:
  struct Frame {
    std::uint32_t object;
    std::uint32_t next;
    std::size_t name_length;
  };

  void enter(const Value& container) {
    if (on_path_[container.index])
      throw FormatError(fmt::format("the container at '{}' holds itself", shown(name_)));
    on_path_[container.index] = true;
    path_.push_back({container.index, 0, name_.size()});
  }

  /// The children that lead to tensors, found once however often the container is shared.
  const std::vector<Child>& relevant(std::uint32_t index) {
    const auto known = relevant_.find(index);
    if (known != relevant_.end()) return known->second;
    const Object& object = tree_.objects()[index];
    std::vector<Child> list = contents_.children(object);
    const std::size_t all = list.size();
    std::erase_if(list,
                  [&](const Child& one) { return !contents_.matters(object.items[one.item]); });
    result_.left_out += static_cast<std::int64_t>(all - list.size());
    return relevant_.emplace(index, std::move(list)).first->second;
  }

  void append_name(const Object& object, const Child& child, bool below) {
    if (below) name_ += '.';
    if (object.kind != Kind::dict) {
      name_ += std::to_string(child.key);
      return;
    }
    const Value& key = object.items[child.key];
    if (key.kind == Kind::text) {
      name_ += tree_.text(key);
    } else {
      name_ += std::to_string(key.integer);
    }
  }

  void add(const Value& tensor) {
    name_bytes_ += name_.size();
    if (result_.tensors.size() == most_tensors || name_bytes_ > most_name_bytes)
      throw FormatError(fmt::format("there are more than {} tensors or {} MB of names",
                                    most_tensors, most_name_bytes >> 20U));
    result_.tensors.push_back({name_, tensor});
  }

  const Tree& tree_;
  const Contents& contents_;
  std::vector<bool> on_path_;
  std::unordered_map<std::uint32_t, std::vector<Child>> relevant_;
  std::vector<Frame> path_;
  std::string name_;
  std::size_t name_bytes_ = 0;
  Flattened result_;
};

/// The value under a key of a mapping, if it is a mapping with tensors.
std::optional<Value> wrapped(const Tree& tree, const Contents& contents, const Value& root,
                             std::string_view wanted) {
  const Object& object = tree.at(root);
  for (std::size_t i = object.items.size(); i >= 2; i -= 2) {
    const Value &key = object.items[i - 2], &value = object.items[i - 1];
    if (key.kind != Kind::text || tree.text(key) != wanted) continue;
    if (value.kind == Kind::dict && contents.matters(value)) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

/// Opens one wrapper. False when there is none.
bool unwrap(const Tree& tree, const Contents& contents, Value& root,
            std::vector<std::string>& opened) {
  if (root.kind != Kind::dict) return false;
  for (const char* key : wrappers)
    if (const std::optional<Value> inner = wrapped(tree, contents, root, key)) {
      root = *inner;
      opened.emplace_back(key);
      return true;
    }
  return false;
}

}  // namespace

Flattened flatten(const Tree& tree) {
  const Contents contents(tree);
  Value root = tree.root;
  if (root.kind == Kind::opaque) {
    const std::vector<Value>& items = tree.at(root).items;
    throw FormatError(
        fmt::format("the file holds an object of class {}, not its weights; save its "
                    "state_dict() instead",
                    items.empty() ? "?" : tree.global_name(items[0])));
  }
  if (!contents.matters(root))
    throw FormatError(
        fmt::format("there is no tensor in the file (it holds {})", name_of(root.kind)));
  std::vector<std::string> opened;
  std::set<std::uint32_t> seen{root.index};
  while (unwrap(tree, contents, root, opened))
    if (!seen.insert(root.index).second)
      throw FormatError(fmt::format("the mapping under '{}' holds itself", opened.back()));
  Flattened result = Walk(tree, contents).run(root);
  result.unwrapped = std::move(opened);
  return result;
}

}  // namespace dml::weights
