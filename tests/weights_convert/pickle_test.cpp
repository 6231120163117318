#include "weights_convert/pickle.hpp"

#include <doctest/doctest.h>

#include "engine/error.hpp"
#include "tests/weights_convert/torch_file.hpp"

namespace dml::weights {
namespace {

using namespace dml::testing;
using namespace dml::testing::pickle;

/// Reads the pickle of an object.
Tree tree_of(const std::string& bytes, std::uint64_t limit = 1U << 24U) {
  StorageTable storages(1000, false);
  return read_pickle(bytes, "x", limit, &storages);
}

Kind kind_of(const std::string& object) {
  const std::string bytes = file(object);
  return tree_of(bytes).root.kind;
}

std::int64_t integer_of(const std::string& object) {
  const std::string bytes = file(object);
  const Tree tree = tree_of(bytes);
  CHECK(tree.root.kind == Kind::integer);
  return tree.root.integer;
}

std::string text_of(const std::string& object) {
  const std::string bytes = file(object);
  const Tree tree = tree_of(bytes);
  CHECK(tree.root.kind == Kind::text);
  return std::string(tree.text(tree.root));
}

std::size_t items_of(const std::string& object, Kind kind) {
  const std::string bytes = file(object);
  const Tree tree = tree_of(bytes);
  CHECK(tree.root.kind == kind);
  return tree.at(tree.root).items.size();
}

void refuses(const std::string& object, const char* message) {
  const std::string bytes = file(object);
  CHECK_THROWS_WITH_AS(tree_of(bytes), doctest::Contains(message), FormatError);
}

TEST_CASE("pickle: numbers") {
  using namespace std::string_literals;
  CHECK(integer_of("J\xFE\xFF\xFF\xFF") == -2);
  CHECK(integer_of("K\xFF") == 255);
  CHECK(integer_of("M\x01\xFF") == 0xFF01);
  CHECK(integer_of("\x8A\x00"s) == 0);
  CHECK(integer_of("\x8A\x01\xFF") == -1);
  CHECK(integer_of("\x8A\x02\xFF\x00"s) == 255);
  CHECK(integer_of("\x8A\x08\x00\x00\x00\x00\x00\x00\x00\x80"s) == INT64_MIN);
  CHECK(integer_of("\x8B\x01\x00\x00\x00\x07"s) == 7);
  CHECK(kind_of("\x8A\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09") == Kind::big);
  CHECK(kind_of("N") == Kind::none);
  CHECK(kind_of("\x88") == Kind::boolean);
  const std::string real = file("G\x3F\xF8\x00\x00\x00\x00\x00\x00"s);
  CHECK(tree_of(real).root.real == 1.5);
}

TEST_CASE("pickle: texts") {
  using namespace std::string_literals;
  CHECK(text_of("X\x03\x00\x00\x00"
                "a\xC3\xA4"s) == "a\xC3\xA4");
  CHECK(text_of("\x8C\x02"
                "ab") == "ab");
  CHECK(text_of("\x8D\x01\x00\x00\x00\x00\x00\x00\x00"
                "c"s) == "c");
  CHECK(text_of("U\x02"
                "\xE4"
                "b") ==
        "\xC3\xA4"
        "b");  // Python 2: latin-1
  CHECK(text_of("T\x01\x00\x00\x00"
                "d"s) == "d");
  CHECK(kind_of("C\x01"
                "a") == Kind::bytes);
  CHECK(kind_of("\x96\x01\x00\x00\x00\x00\x00\x00\x00"
                "a"s) == Kind::bytes);
  for (const char* bad : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE4\xB8"})
    refuses(text(bad), "UTF-8");
}

TEST_CASE("pickle: containers, stack and memo") {
  CHECK(items_of("]N\x61N\x61", Kind::list) == 2);
  CHECK(items_of("](NNNe", Kind::list) == 3);
  CHECK(items_of("(NNl", Kind::list) == 2);
  CHECK(items_of(")", Kind::tuple) == 0);
  CHECK(items_of("NNN\x87", Kind::tuple) == 3);
  CHECK(items_of("(NNNNt", Kind::tuple) == 4);
  CHECK(items_of("}K\x01Ns", Kind::dict) == 2);
  CHECK(items_of("(K\x01NK\x02Nd", Kind::dict) == 4);
  CHECK(items_of("\x8F(K\x01K\x02\x90", Kind::set) == 2);
  CHECK(items_of("(K\x01\x91", Kind::frozen_set) == 1);
  CHECK(items_of("]q\x05"
                 "0h\x05",
                 Kind::list) == 0);
  CHECK(items_of("]\x94"
                 "0"
                 "j" +
                     little(0, 4),
                 Kind::list) == 0);
  CHECK(items_of("]r\xF0\xFF\xFF\xFF"
                 "0j\xF0\xFF\xFF\xFF",
                 Kind::list) == 0);
  CHECK(items_of("N2\x86", Kind::tuple) == 2);
  CHECK(items_of("](NN1", Kind::list) == 0);
  CHECK(items_of("](0", Kind::list) == 0);
}

TEST_CASE("pickle: what is malformed is refused") {
  refuses("](N", "MARK");
  refuses("e", "no MARK");
  refuses("a", "stack is empty");
  refuses(
      "N(0\x85"
      "00",
      "stack is empty");
  refuses("](a", "stack is empty");  // nothing below a mark may be taken
  refuses("h\x01", "memo");
  refuses("}(Nu", "without a value");
  refuses("}]Ns", "key");
  refuses("}]\x85Ns", "key");
  refuses(
      "K\x01"
      "Na",
      "elements");
  refuses("]NNs", "keys and values");
  refuses("\x95" + little(1000, 8), "frame");
  refuses("X" + little(1000, 4), "1000 bytes");
  refuses("\x8E" + little(~std::uint64_t{0}, 8), "bytes are needed");
  refuses("T" + little(0xFFFFFFFF, 4), "negative");
  refuses("\x8B" + little(0xFFFFFFFF, 4), "negative");
  refuses("\x80\x06", "protocol 6");
  refuses("NN\x93", "not a text");
  refuses("cabc", "does not end");
  refuses("NQ", "persistent id");
  for (const char* code :
       {"F", "I", "L", "P", "S", "V", "g", "i", "o", "p", "\x82", "\x97", "\x98"})
    refuses(code, "opcode");
  refuses("\xFF", "0xff");
}

TEST_CASE("pickle: nothing is called") {
  for (const auto& [module, name] : {std::pair("posix", "system"),
                                     {"builtins", "eval"},
                                     {"builtins", "getattr"},
                                     {"torch", "load"},
                                     {"torch.hub", "load"},
                                     {"collections", "OrderedDict.fromkeys"},
                                     {"torch", "FloatStorage"},
                                     {"torch._utils", "_rebuild_tensor_v3"},
                                     {"torch._utils2", "_rebuild_tensor_v2"}}) {
    refuses(call(global(module, name), tuple({text("x")})), name);
    refuses(dict({{text("a"), call(global(module, name), ")")}}), "nothing was run");
    refuses(call(global("torch._tensor", "_rebuild_from_type_v2"),
                 tuple({global(module, name), "N", ")", "N"})),
            "nothing was run");
  }
  refuses(call("N", ")"), "is called");
  refuses(call(global("torch", "Size"), "N"), "not a tuple");
  refuses(call(global("collections", "OrderedDict"), tuple({"N"})), "list of pairs");
  refuses(call(global("collections", "OrderedDict"), tuple({list({list({"N"})})})), "no pair");
  refuses(call(global("torch._utils", "_rebuild_parameter"), tuple({"N", "N", "N"})), "parameter");
  refuses(call(global("torch._utils", "_rebuild_qtensor"), ")"), "quantised");
  refuses(call(global("torch._utils", "_rebuild_sparse_tensor"), ")"), "sparse");
  refuses(global("a", "B") + "Nb", "BUILD");
  refuses("]Nb", "BUILD");
  refuses("N)\x81", "not of a class");
  std::string nested = ")";
  for (int i = 0; i < 20; ++i)
    nested = tuple({global("torch._tensor", "_rebuild_from_type_v2"), "N", nested, "N"});
  refuses(call(global("torch._tensor", "_rebuild_from_type_v2"), nested), "deeply");
}

TEST_CASE("pickle: inert calls and objects of unknown classes") {
  CHECK(kind_of(call(global("numpy.core.multiarray", "scalar"), ")")) == Kind::opaque);
  CHECK(kind_of(call(global("collections", "defaultdict"), ")") + "(K\x01Nu") == Kind::opaque);
  CHECK(kind_of(global("argparse", "Namespace") + ")\x81}b") == Kind::opaque);
  CHECK(kind_of(global("my.module", "Logger") + ")}\x92") == Kind::opaque);
  CHECK(kind_of("\x8C\x01"
                "a\x8C\x01"
                "b\x93") == Kind::global);
  CHECK(items_of(call(global("collections", "OrderedDict"), ")") + "}b", Kind::dict) == 0);
  CHECK(items_of(call(global("collections", "OrderedDict"),
                      tuple({list({list({text("a"), "N"}), list({text("b"), "N"})})})),
                 Kind::dict) == 4);
  CHECK(items_of(call(global("torch", "Size"), tuple({list({"K\x01"})})), Kind::tuple) == 1);
}

TEST_CASE("pickle: storages and tensors are checked where they are described") {
  const std::string six = storage("0", 6);
  CHECK(kind_of(six) == Kind::storage);
  CHECK(kind_of(tensor(six, 0, {2, 3}, {3, 1})) == Kind::tensor);
  CHECK(kind_of(tensor(six, 6, {0, 3}, {3, 1})) == Kind::tensor);
  CHECK(kind_of(tensor(six, 5, {}, {})) == Kind::tensor);
  refuses(tensor(six, 6, {}, {}), "runs past");
  refuses(tensor(six, 1, {2, 3}, {3, 1}), "runs past");
  refuses(tensor(six, 7, {0}, {1}), "runs past");
  refuses(tensor(six, 0, {2, 3}, {3, 2}), "runs past");
  refuses(tensor(six, -1, {1}, {1}), "negative");
  refuses(tensor(six, 0, {-1}, {1}), "negative");
  refuses(tensor(six, 0, {1}, {-1}), "negative");
  refuses(tensor(six, 0, {2, 3}, {3}), "strides");
  refuses(tensor(six, 0, {INT64_MAX, 3}, {0, 0}), "too large");
  refuses(tensor(six, 0, {3}, {INT64_MAX}), "too large");
  refuses(tensor(six, INT64_MAX, {2}, {1}), "runs past");
  refuses(tensor(six, 0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1)),
          "dimensions");
  refuses(tensor("N", 0, {1}, {1}), "not on a storage");
  refuses(storage("0", 251), "more than the file");
  refuses(storage("0", INT64_MAX), "more than the file");
  refuses(storage("0", -1), "negative");
  refuses(storage("../x", 1), "no key");
  refuses(storage("", 1), "no key");
  refuses(storage("0", 1, "ComplexFloatStorage"), "complex");
  refuses(storage("0", 1, "QInt8Storage"), "quantised");
  refuses(storage("0", 1, "FooStorage"), "FooStorage");
  refuses("(" + six + storage("0", 6, "IntStorage") + "t", "both as");
}

TEST_CASE("pickle: 100,000 nested lists need no stack, neither to read nor to free") {
  std::string deep(100000, ']');
  deep += std::string(99999, 'a');
  const std::string bytes = file(deep);
  CHECK(tree_of(bytes).objects().size() == 100000);
}

TEST_CASE("pickle: memory stays below the limit") {
  for (const char* piece :
       {"N", "]", ")", "(", "N\x94", "U\x01\xE9", "K\x01", "ca\nb\n", "](NNNNe"}) {
    std::string many = file("N");
    many.pop_back();
    for (int i = 0; i < 100000; ++i) many += piece;
    CHECK_THROWS_WITH_AS(tree_of(many + ".", 100000), doctest::Contains("memory"), FormatError);
  }
}

TEST_CASE("pickle: cut short anywhere it is refused") {
  const std::string whole = file(dict({{text("a"), tensor(storage("0", 6), 0, {2, 3}, {3, 1})},
                                       {text("b"), list({"N", "\x88", number(7)})}}));
  CHECK(tree_of(whole).end == whole.size());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string part = whole.substr(0, n);
    CHECK_THROWS_AS(tree_of(part), FormatError);
  }
}

}  // namespace
}  // namespace dml::weights
