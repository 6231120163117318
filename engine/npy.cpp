#include "engine/npy.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/file.hpp"
#include "engine/input_file.hpp"

namespace dml {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::pair<const char*, DType> npy_types[] = {
    {"f4", DType::f32}, {"f8", DType::f64}, {"f2", DType::f16},
    {"i8", DType::i64}, {"i4", DType::i32}, {"i2", DType::i16},
    {"i1", DType::i8},  {"u1", DType::u8},  {"b1", DType::boolean}};

struct NpyHeader {
  DType type = DType::f32;
  bool fortran = false;
  Shape shape;
};

/// Reads the Python dictionary of a .npy header: {'descr': '<f4', 'fortran_order': False,
/// 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string file, std::string_view text) : file_(std::move(file)), rest_(text) {}

  NpyHeader parse() {
    NpyHeader header;
    bool type = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !std::exchange(type, true)) {
        header.type = element_type(quoted());
      } else if (key == "fortran_order" && !std::exchange(order, true)) {
        header.fortran = truth();
      } else if (key == "shape" && !std::exchange(shape, true)) {
        header.shape = sizes();
      } else {
        fail("key '" + key + "' is unknown or occurs twice");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    blanks();
    if (!rest_.empty()) fail("text follows the dictionary");
    if (!type || !order || !shape) fail("descr, fortran_order or shape is missing");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(file_ + ": .npy header: " + what);
  }
  void blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool accept(char c) {
    blanks();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("'") + c + "' is missing");
  }
  std::string quoted() {
    blanks();
    if (!rest_.empty() && rest_[0] == '[') fail("arrays of records are not supported");
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = rest_.find(quote);
    if (end == std::string_view::npos) fail("a text does not end");
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool truth() {
    blanks();
    for (const auto& [word, value] : {std::pair("True", true), std::pair("False", false)})
      if (rest_.rfind(word, 0) == 0) {
        rest_.remove_prefix(std::strlen(word));
        return value;
      }
    fail("fortran_order is neither True nor False");
  }
  DType element_type(const std::string& text) const {
    if (text.size() > 1 && text[0] == '>' && text.substr(2) != "1")
      fail("elements of type '" + text + "' are big-endian; save them as little-endian");
    for (const auto& [name, type] : npy_types)
      if (text.size() == 3 && std::strchr("<|=>", text[0]) != nullptr && text.substr(1) == name)
        return type;
    fail("elements of type '" + text + "' are not supported (f2 f4 f8 i1 i2 i4 i8 u1 b1 are)");
  }
  Shape sizes() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      blanks();
      std::int64_t size = 0;
      std::size_t digits = 0;
      for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; rest_.remove_prefix(1), ++digits)
        if (__builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, rest_[0] - '0', &size))
          fail("a size is too large");
      if (!rest_.empty() && rest_[0] == 'L') rest_.remove_prefix(1);  // written by Python 2
      if (digits == 0) fail("a size is no number");
      shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string file_;
  std::string_view rest_;
};

/// Where the elements begin, and what they are.
std::pair<NpyHeader, std::uint64_t> read_npy_header(const InputFile& input) {
  const std::string file = input.path().string();
  if (input.size() < 10 || input.text(0, magic.size()) != magic)
    throw FormatError(file + ": this is no .npy file");
  const std::string start = input.text(0, std::min<std::uint64_t>(12, input.size()));
  const auto byte = [&](std::size_t i) {
    return i < start.size() ? static_cast<std::uint64_t>(static_cast<unsigned char>(start[i])) : 0;
  };
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3)
    throw FormatError(file + ": .npy version " + std::to_string(version) +
                      " is unknown; 1 to 3 are supported");
  const std::uint64_t begin = version == 1 ? 10 : 12;
  const std::uint64_t length =
      byte(8) | byte(9) << 8U | (version == 1 ? 0 : byte(10) << 16U | byte(11) << 24U);
  const std::string text = input.text(begin, length);
  return {HeaderParser(file, text).parse(), begin + length};
}

/// Column-major elements in row-major order.
Tensor from_fortran(const Tensor& columns) {
  const Shape& shape = columns.shape();
  const std::size_t item = item_size(columns.dtype());
  Tensor rows = Tensor::empty(shape, columns.dtype());
  std::vector<std::int64_t> stride(shape.size(), 1), index(shape.size(), 0);
  for (std::size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
  std::int64_t from = 0;
  for (std::int64_t to = 0; to < rows.size(); ++to) {
    std::memcpy(rows.raw_bytes() + static_cast<std::size_t>(to) * item,
                columns.raw_bytes() + static_cast<std::size_t>(from) * item, item);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += stride[d];
      if (++index[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return rows;
}

}  // namespace

Tensor read_npy(const std::filesystem::path& file) {
  const InputFile input(file);
  auto [header, begin] = read_npy_header(input);
  std::int64_t bytes = static_cast<std::int64_t>(item_size(header.type));
  bool fits = true;
  for (const std::int64_t size : header.shape)
    fits = fits && !__builtin_mul_overflow(bytes, size, &bytes);
  if (!fits || static_cast<std::uint64_t>(bytes) != input.size() - begin)
    throw FormatError(file.string() + ": an array of shape " + to_string(header.shape) + " of " +
                      name_of(header.type) + " does not fill the " +
                      std::to_string(input.size() - begin) +
                      " bytes behind the header; the file is cut short or damaged");
  Tensor tensor = Tensor::empty(std::move(header.shape), header.type);
  input.read(begin, {tensor.raw_bytes(), tensor.bytes()});
  return header.fortran && tensor.rank() > 1 ? from_fortran(tensor) : tensor;
}

void write_npy(const std::filesystem::path& file, const Tensor& tensor) {
  const char* type = nullptr;
  for (const auto& [name, one] : npy_types)
    if (one == tensor.dtype()) type = name;
  if (type == nullptr)
    throw TypeError(file.string() + ": .npy cannot hold " + name_of(tensor.dtype()) +
                    "; convert the tensor to f32 first");
  std::string text = std::string("{'descr': '") + (item_size(tensor.dtype()) == 1 ? "|" : "<") +
                     type + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < tensor.shape().size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape()[i]);
  text += tensor.rank() == 1 ? ",), }" : "), }";
  text.resize((text.size() + 1 + 10 + 63) / 64 * 64 - 11, ' ');
  text += '\n';
  if (text.size() > 0xFFFF)
    throw ShapeError(file.string() + ": too many dimensions for .npy version 1.0");
  std::string start(magic);
  start +=
      {'\1', '\0', static_cast<char>(text.size() & 255U), static_cast<char>(text.size() >> 8U)};
  const Tensor dense = tensor.to_host().dense();
  write_file_atomically(file, [&](const auto& append) {
    append(start.data(), start.size());
    append(text.data(), text.size());
    append(dense.raw_bytes(), dense.bytes());
  });
}

}  // namespace dml
