#include "weights_convert/pickle.hpp"

#include <fmt/format.h>

#include <bit>
#include <unordered_map>

#include "engine/error.hpp"
#include "weights_convert/calls.hpp"
#include "weights_convert/cursor.hpp"
#include "weights_convert/opcodes.hpp"

namespace dml::weights {
namespace {

/// The machine of one pickle.
class Reader {
 public:
  Reader(std::string_view bytes, std::uint64_t limit, StorageTable* storages)
      : tree_(bytes, limit), in_(bytes), storages_(storages) {}

  /// Runs to STOP. `position()` is the opcode that failed, when it throws.
  Tree run() {
    for (;;) {
      position_ = in_.position();
      const auto code = static_cast<Op>(in_.byte());
      if (code == Op::stop) break;
      if (!number(code) && !text(code) && !container(code) && !stack(code) && !object(code))
        throw FormatError(refusal_of(code));
    }
    if (!marks_.empty()) throw FormatError("the pickle ends inside a container (a MARK is left)");
    tree_.root = pop();
    tree_.end = in_.position();
    return std::move(tree_);
  }
  std::size_t position() const { return position_; }

 private:
  // Stack and memo.
  void push(const Value& value) {
    stack_.push_back(value);
    if (stack_.size() <= highest_) return;
    highest_ = stack_.size();
    tree_.charge(2 * sizeof(Value));  // once more while pop_to_mark() hands them over
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  const Value& top() const {
    if (stack_.size() <= floor()) throw FormatError("the stack is empty");
    return stack_.back();
  }
  Value pop() {
    const Value value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) throw FormatError("a container ends that never began (no MARK)");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Value> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  std::vector<Value> pop_some(std::size_t count) {
    std::vector<Value> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }
  void remember(std::uint64_t index, const Value& value) {
    tree_.charge(64);
    memo_[index] = value;
  }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end())
      throw FormatError(fmt::format("entry {} of the memo was never set", index));
    push(found->second);
  }

  void push_integer(std::int64_t number) {
    Value value;
    value.kind = Kind::integer;
    value.integer = number;
    push(value);
  }
  void push_boolean(bool truth) {
    push_integer(truth ? 1 : 0);
    stack_.back().kind = Kind::boolean;
  }
  void push_object(Kind kind, std::vector<Value> items = {}) {
    push(tree_.add(kind, std::move(items), position_));
  }
  Value span_of(Kind kind, std::string_view part) const {
    Value value;
    value.kind = kind;
    value.span.first = static_cast<std::uint32_t>(part.data() - tree_.bytes().data());
    value.span.length = static_cast<std::uint32_t>(part.size());
    return value;
  }
  Value utf8(std::string_view part) const {
    if (!is_utf8(part)) throw FormatError("a text is not valid UTF-8");
    return span_of(Kind::text, part);
  }
  Value latin1(std::string_view part) {
    std::string text = utf8_of_latin1(part);
    return text.size() == part.size() ? span_of(Kind::text, part) : tree_.own(std::move(text));
  }
  void push_long(std::uint64_t length) {
    const std::string_view part = in_.take(length);
    if (part.size() > 8) {
      push(span_of(Kind::big, part));
      return;
    }
    push_integer(signed_number(part));
  }

  void add_items(const Value& to, const std::vector<Value>& pairs) {
    if (pairs.size() % 2 != 0) throw FormatError("a dict is given a key without a value");
    if (to.kind == Kind::opaque) return;
    if (to.kind != Kind::dict)
      throw FormatError(fmt::format("{} is given keys and values", name_of(to.kind)));
    for (std::size_t i = 0; i < pairs.size(); i += 2)
      if (!hashable(tree_, pairs[i]))
        throw FormatError(fmt::format("{} cannot be the key of a dict", name_of(pairs[i].kind)));
    append(to, pairs);
  }
  void add_elements(const Value& to, const std::vector<Value>& elements, Kind wanted) {
    if (to.kind == Kind::opaque) return;
    if (to.kind != wanted) throw FormatError(fmt::format("{} is given elements", name_of(to.kind)));
    append(to, elements);
  }
  void append(const Value& to, const std::vector<Value>& elements) {
    tree_.charge(2 * elements.size() * sizeof(Value));
    std::vector<Value>& items = tree_.at(to).items;
    items.insert(items.end(), elements.begin(), elements.end());
  }

  bool number(Op code) {
    switch (code) {
      case Op::proto:
        if (const unsigned version = in_.byte(); version > 5)
          throw FormatError(fmt::format("pickle protocol {} is unknown", version));
        return true;
      case Op::frame:
        if (const std::uint64_t length = in_.little(8); length > in_.left())
          throw FormatError(
              fmt::format("a frame claims {} bytes, {} are left", length, in_.left()));
        return true;
      case Op::none:
        push(Value{});
        return true;
      case Op::new_true:
        push_boolean(true);
        return true;
      case Op::new_false:
        push_boolean(false);
        return true;
      case Op::binint:
        push_integer(static_cast<std::int32_t>(in_.little(4)));
        return true;
      case Op::binint1:
        push_integer(static_cast<std::int64_t>(in_.little(1)));
        return true;
      case Op::binint2:
        push_integer(static_cast<std::int64_t>(in_.little(2)));
        return true;
      case Op::long1:
        push_long(in_.byte());
        return true;
      case Op::long4:
        push_long(in_.signed_length());
        return true;
      case Op::binfloat: {
        Value value;
        value.kind = Kind::real;
        value.real = std::bit_cast<double>(__builtin_bswap64(in_.little(8)));
        push(value);
        return true;
      }
      default:
        return false;
    }
  }

  bool text(Op code) {
    switch (code) {
      case Op::short_binunicode:
        push(utf8(in_.take(in_.byte())));
        return true;
      case Op::binunicode:
        push(utf8(in_.take(in_.little(4))));
        return true;
      case Op::binunicode8:
        push(utf8(in_.take(in_.little(8))));
        return true;
      case Op::short_binstring:
        push(latin1(in_.take(in_.byte())));
        return true;
      case Op::binstring:
        push(latin1(in_.take(in_.signed_length())));
        return true;
      case Op::short_binbytes:
        push(span_of(Kind::bytes, in_.take(in_.byte())));
        return true;
      case Op::binbytes:
        push(span_of(Kind::bytes, in_.take(in_.little(4))));
        return true;
      case Op::binbytes8:
      case Op::bytearray8:
        push(span_of(Kind::bytes, in_.take(in_.little(8))));
        return true;
      default:
        return false;
    }
  }

  bool container(Op code) {
    switch (code) {
      case Op::empty_tuple:
        push_object(Kind::tuple);
        return true;
      case Op::tuple:
        push_object(Kind::tuple, pop_to_mark());
        return true;
      case Op::tuple1:
        push_object(Kind::tuple, pop_some(1));
        return true;
      case Op::tuple2:
        push_object(Kind::tuple, pop_some(2));
        return true;
      case Op::tuple3:
        push_object(Kind::tuple, pop_some(3));
        return true;
      case Op::empty_list:
        push_object(Kind::list);
        return true;
      case Op::list:
        push_object(Kind::list, pop_to_mark());
        return true;
      case Op::empty_dict:
        push_object(Kind::dict);
        return true;
      case Op::empty_set:
        push_object(Kind::set);
        return true;
      case Op::frozen_set:
        push_object(Kind::frozen_set, pop_to_mark());
        return true;
      case Op::dict: {
        const std::vector<Value> pairs = pop_to_mark();
        push_object(Kind::dict), add_items(top(), pairs);
        return true;
      }
      case Op::append:
        add(pop_some(1), Kind::list);
        return true;
      case Op::appends:
        add(pop_to_mark(), Kind::list);
        return true;
      case Op::additems:
        add(pop_to_mark(), Kind::set);
        return true;
      case Op::setitem:
        add(pop_some(2), Kind::dict);
        return true;
      case Op::setitems:
        add(pop_to_mark(), Kind::dict);
        return true;
      default:
        return false;
    }
  }
  void add(const std::vector<Value>& elements, Kind to) {
    if (to == Kind::dict) {
      add_items(top(), elements);
    } else {
      add_elements(top(), elements, to);
    }
  }

  bool stack(Op code) {
    switch (code) {
      case Op::mark:
        tree_.charge(2 * sizeof(std::size_t));
        marks_.push_back(stack_.size());
        return true;
      case Op::pop:
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        return true;
      case Op::pop_mark:
        pop_to_mark();
        return true;
      case Op::dup:
        push(Value(top()));
        return true;
      case Op::binput:
        remember(in_.little(1), top());
        return true;
      case Op::long_binput:
        remember(in_.little(4), top());
        return true;
      case Op::memoize:
        remember(memo_.size(), top());
        return true;
      case Op::binget:
        recall(in_.little(1));
        return true;
      case Op::long_binget:
        recall(in_.little(4));
        return true;
      default:
        return false;
    }
  }

  bool object(Op code) {
    switch (code) {
      case Op::global: {
        const Value module = utf8(in_.line());
        const Value name = utf8(in_.line());
        push_object(Kind::global, {module, name});
        return true;
      }
      case Op::stack_global: {
        std::vector<Value> names = pop_some(2);
        if (names[0].kind != Kind::text || names[1].kind != Kind::text)
          throw FormatError("the name of a class or function is not a text");
        push_object(Kind::global, std::move(names));
        return true;
      }
      case Op::reduce: {
        const std::vector<Value> call = pop_some(2);
        push(described_call(tree_, storages_, call[0], call[1], position_));
        return true;
      }
      case Op::newobj:
        make_object(pop_some(2));
        return true;
      case Op::newobj_ex:
        make_object(pop_some(3));
        return true;
      case Op::build:
        build();
        return true;
      case Op::binpersid: {
        if (storages_ == nullptr) throw FormatError("a storage stands where none can be");
        const Value id = pop();
        push(storages_->add(tree_, id));
        return true;
      }
      default:
        return false;
    }
  }
  void make_object(const std::vector<Value>& parts) {
    if (parts[0].kind != Kind::global)
      throw FormatError(
          fmt::format("an object is made of {}, not of a class", name_of(parts[0].kind)));
    if (parts[1].kind != Kind::tuple)
      throw FormatError("the arguments of a new object are not a tuple");
    push_object(Kind::opaque, {parts[0]});
  }
  /// The state of an object. Attributes of a dict (torch's _metadata) and of a parameter do not
  /// matter; objects of unknown classes have no inside.
  void build() {
    pop();
    const Kind kind = top().kind;
    if (kind != Kind::dict && kind != Kind::opaque && kind != Kind::tensor)
      throw FormatError(fmt::format("{} is given attributes (BUILD)", name_of(kind)));
  }

  Tree tree_;
  Cursor in_;
  StorageTable* storages_;
  std::size_t position_ = 0;
  std::deque<Value> stack_;
  std::size_t highest_ = 0;  ///< the most values that the stack has held
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Value> memo_;
};

}  // namespace

Tree read_pickle(std::string_view bytes, const std::string& where, std::uint64_t limit,
                 StorageTable* storages, std::uint64_t start) {
  constexpr std::size_t longest = 0x7FFFFFFF;  // values refer to the bytes by 32-bit numbers
  Reader reader(bytes.substr(0, longest), limit, storages);
  try {
    return reader.run();
  } catch (const FormatError& error) {
    throw FormatError(
        fmt::format("{}, byte {}: {}", where, start + reader.position(), error.what()));
  }
}

}  // namespace dml::weights
