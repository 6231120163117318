#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace dml::weights {

/// What a pickle can hold. Everything is data: a global is a pair of names, an object of an unknown
/// class or the result of an inert call is opaque.
enum class Kind : std::uint8_t {
  none,
  boolean,
  integer,
  big,  ///< a whole number beyond 64 bits
  real,
  text,
  bytes,
  // Those below live in Tree::objects.
  global,  ///< items: module and name, both text
  list,
  tuple,
  dict,  ///< items: key, value, key, value ...
  set,
  frozen_set,
  storage,  ///< index: into the table of storages, not of objects
  tensor,   ///< items: storage, offset, tuple of sizes, tuple of strides
  opaque,   ///< items: the class, when it is known
};

/// "a list", for messages.
const char* name_of(Kind kind);

/// A value of 16 bytes; containers and long texts stand elsewhere and are shared by reference.
struct Value {
  Kind kind = Kind::none;
  std::uint32_t index = 0;  ///< of the object; of a text: 0 in the pickle, else 1 + its own copy
  union {
    std::int64_t integer = 0;
    double real;
    struct {
      std::uint32_t first, length;
    } span;  ///< of text, bytes and big numbers in the pickle
  };
};

/// A container, tensor, name or opaque object.
struct Object {
  Kind kind;
  std::uint32_t position = 0;  ///< byte of the pickle where it was made
  std::vector<Value> items;
};

/// The values of one pickle. All objects stand in one row and refer to each other by number, so
/// that neither cycles nor 100,000 nested lists matter when they are freed.
class Tree {
 public:
  /// @param bytes  the pickle and whatever follows it; must outlive the tree.
  /// @param limit  bytes that the values may take in memory.
  Tree(std::string_view bytes, std::uint64_t limit) : bytes_(bytes), limit_(limit) {}

  /// A new object. @throws FormatError when the limit is reached.
  Value add(Kind kind, std::vector<Value> items, std::size_t position);
  /// A text that does not stand in the pickle as it is.
  Value own(std::string text);
  /// Counts memory that a value takes beside add(). @throws FormatError at the limit.
  void charge(std::uint64_t bytes);
  /// Bytes that the values take.
  std::uint64_t used() const { return used_; }

  Object& at(const Value& value) { return objects_[value.index]; }
  const Object& at(const Value& value) const { return objects_[value.index]; }
  /// The characters of a text or bytes.
  std::string_view text(const Value& value) const;
  /// "module.name" of a global.
  std::string global_name(const Value& global) const;

  std::deque<Object>& objects() { return objects_; }
  const std::deque<Object>& objects() const { return objects_; }
  std::string_view bytes() const { return bytes_; }

  Value root;
  std::size_t end = 0;  ///< of the pickle: the byte behind STOP

 private:
  std::string_view bytes_;
  std::uint64_t limit_, used_ = 0;
  std::deque<Object> objects_;
  std::deque<std::string> texts_;
};

/// Whether a dict can have this key (lists, dicts and sets change, so they cannot be).
bool hashable(const Tree& tree, const Value& value);

/// A text out of a file for a message: control characters escaped, at most 120 bytes.
std::string shown(std::string_view text);
/// Whether the bytes are UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);
/// Latin-1, as Python 2 writes its texts, in UTF-8.
std::string utf8_of_latin1(std::string_view bytes);

}  // namespace dml::weights
