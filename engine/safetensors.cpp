#include "engine/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "engine/file.hpp"
#include "engine/input_file.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t longest_header = 100'000'000;  // the limit of the format's own library

constexpr std::pair<const char*, DType> type_names[] = {
    {"F64", DType::f64}, {"F32", DType::f32},     {"F16", DType::f16}, {"BF16", DType::bf16},
    {"I64", DType::i64}, {"I32", DType::i32},     {"I16", DType::i16}, {"I8", DType::i8},
    {"U8", DType::u8},   {"BOOL", DType::boolean}};

const char* file_name_of(DType type) {
  for (const auto& [name, one] : type_names)
    if (one == type) return name;
  return "?";
}

/// A tensor as the header describes it.
struct Entry {
  TensorInfo info;
  std::uint64_t first = 0;  ///< of its bytes, behind the header
  std::uint64_t last = 0;
};

/// Takes the header apart while it is parsed, without building a tree of it.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool number_float(number_float_t, const string_t& text) override { return refuse(text); }
  bool number_integer(number_integer_t value) override { return refuse(std::to_string(value)); }
  bool binary(binary_t&) override { return refuse("bytes"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_list_) return refuse("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return fail("the number " + std::to_string(value) + " is too large");
    numbers_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ == 2 && name_ == "__metadata__") {
      if (!metadata.emplace(field_, text).second) return fail("key '" + field_ + "' occurs twice");
      return true;
    }
    if (depth_ != 2 || field_ != "dtype" || in_list_) return refuse("a text");
    for (const auto& [known, type] : type_names)
      if (text == known) type_ = type;
    return type_ ? true : fail("elements of type " + text + " are not supported");
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_list_) return refuse("an object");
    ++depth_;
    type_.reset(), shape_.reset(), offsets_.reset();
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 2) {
      field_ = text;
      return true;
    }
    name_ = text;
    return names_.insert(text).second ? true : fail("the name occurs twice");
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 0 || name_ == "__metadata__") return true;
    if (!type_ || !shape_ || !offsets_) return fail("dtype, shape or data_offsets is missing");
    if (offsets_->size() != 2) return fail("data_offsets has not two numbers");
    entries.push_back({{name_, *type_, std::move(*shape_)},
                       static_cast<std::uint64_t>((*offsets_)[0]),
                       static_cast<std::uint64_t>((*offsets_)[1])});
    return true;
  }

  bool start_array(std::size_t) override {
    const bool wanted = depth_ == 2 && name_ != "__metadata__" && !in_list_ &&
                        ((field_ == "shape" && !shape_) || (field_ == "data_offsets" && !offsets_));
    if (!wanted) return refuse("a list");
    in_list_ = true;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    in_list_ = false;
    (field_ == "shape" ? shape_ : offsets_) = numbers_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    problem = "the header is no valid JSON at byte " + std::to_string(position + 8);
    return false;
  }

 private:
  bool refuse(const std::string& found) {
    return fail("found " + found + (field_.empty() ? "" : " at '" + field_ + "'") +
                " where the format has none");
  }
  bool fail(const std::string& what) {
    problem = (name_.empty() ? "header" : "tensor '" + name_ + "'") + ": " + what;
    return false;
  }

  int depth_ = 0;
  bool in_list_ = false;
  std::string name_, field_;
  std::optional<DType> type_;
  std::optional<Shape> shape_, offsets_;
  Shape numbers_;
  std::unordered_set<std::string> names_;
};

/// The bytes that a tensor of that type and shape takes; nothing when 63 bits do not hold them.
std::optional<std::uint64_t> bytes_of(DType type, const Shape& shape) {
  std::int64_t bytes = static_cast<std::int64_t>(item_size(type));
  for (const std::int64_t size : shape)
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

struct Header {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::uint64_t data = 0;  ///< where the tensors' bytes begin in the file
};

/// Every tensor fits its shape, and together they cover the file without holes or overlaps.
void check_layout(const std::string& file, const std::vector<Entry>& entries, std::uint64_t size) {
  std::vector<const Entry*> order;
  for (const Entry& one : entries) {
    const auto bytes = bytes_of(one.info.dtype, one.info.shape);
    if (!bytes || one.last < one.first || one.last - one.first != *bytes)
      throw FormatError(file + ": tensor '" + one.info.name + "': bytes " +
                        std::to_string(one.first) + " to " + std::to_string(one.last) +
                        " do not hold shape " + to_string(one.info.shape) + " of " +
                        name_of(one.info.dtype));
    order.push_back(&one);
  }
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->first, a->last) < std::pair(b->first, b->last);
  });
  std::uint64_t next = 0;
  for (const Entry* one : order) {
    if (one->first != next)
      throw FormatError(file + ": tensor '" + one->info.name + "' begins at byte " +
                        std::to_string(one->first) + " of the data, " + std::to_string(next) +
                        " is expected: tensors overlap or leave a hole");
    next = one->last;
  }
  if (next != size)
    throw FormatError(file + ": the tensors take " + std::to_string(next) +
                      " bytes, the file holds " + std::to_string(size) +
                      " behind its header; it is cut short or damaged");
}

Header read_header(const InputFile& input) {
  const std::string file = input.path().string();
  if (input.size() < 8) throw FormatError(file + ": too short to be a safetensors file");
  std::array<std::byte, 8> prefix{};
  input.read(0, prefix);
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;)
    length = length << 8U | std::to_integer<std::uint64_t>(prefix[i]);
  if (length > longest_header || length > input.size() - 8)
    throw FormatError(file + ": the header claims " + std::to_string(length) +
                      " bytes, the file has " + std::to_string(input.size()) +
                      "; this is no safetensors file, or it is damaged");
  const std::string text = input.text(8, length);
  if (text.empty() || text[0] != '{') throw FormatError(file + ": no safetensors file (no header)");
  HeaderReader reader;
  bool whole = false;
  try {
    whole = Json::sax_parse(text, &reader);
  } catch (const Json::exception& error) {
    reader.problem = error.what();
  }
  if (!whole) throw FormatError(file + ": " + reader.problem);
  check_layout(file, reader.entries, input.size() - 8 - length);
  return {std::move(reader.entries), std::move(reader.metadata), 8 + length};
}

/// A text as JSON. @throws FormatError when it is not UTF-8.
std::string json_text(const std::string& text) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    throw FormatError("a name or metadata text is not valid UTF-8 and cannot be stored: '" + text +
                      "'");
  }
}

/// The header for tensors whose bytes begin at the given offsets, padded to a multiple of 64.
std::string header_text(const SafeTensors& contents, const std::vector<std::uint64_t>& offsets) {
  std::vector<std::string> members;
  if (!contents.metadata.empty()) {
    std::vector<std::string> texts;
    for (const auto& [key, value] : contents.metadata)
      texts.push_back(fmt::format("{}:{}", json_text(key), json_text(value)));
    members.push_back(fmt::format("\"__metadata__\":{{{}}}", fmt::join(texts, ",")));
  }
  for (std::size_t i = 0; i < contents.tensors.size(); ++i) {
    const auto& [name, tensor] = contents.tensors[i];
    members.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                  json_text(name), file_name_of(tensor.dtype()),
                                  fmt::join(tensor.shape(), ","), offsets[i],
                                  offsets[i] + tensor.bytes()));
  }
  std::string text = fmt::format("{{{}}}", fmt::join(members, ","));
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
  return text;
}

void check_names(const std::filesystem::path& file, const SafeTensors& contents) {
  std::unordered_set<std::string> names;
  for (const auto& [name, tensor] : contents.tensors) {
    if (name == "__metadata__")
      throw FormatError(file.string() + ": no tensor may be named __metadata__ in safetensors");
    if (!names.insert(name).second)
      throw FormatError(file.string() + ": two tensors are named '" + name + "'");
    if (!tensor.defined()) throw Error(file.string() + ": tensor '" + name + "' was never set");
  }
}

}  // namespace

const Tensor* SafeTensors::find(const std::string& name) const {
  for (const auto& [known, tensor] : tensors)
    if (known == name) return &tensor;
  return nullptr;
}

const Tensor& SafeTensors::at(const std::string& name) const {
  if (const Tensor* found = find(name)) return *found;
  std::vector<std::string> known;
  for (const auto& [one, tensor] : tensors) known.push_back(one);
  throw FormatError("no tensor named '" + name + "'" + suggestion(name, known));
}

std::string SafeTensors::text(const std::string& key, const std::string& fallback) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? fallback : found->second;
}

SafeTensors read_safetensors(const std::filesystem::path& file) {
  const InputFile input(file);
  Header header = read_header(input);
  SafeTensors result;
  result.metadata = std::move(header.metadata);
  for (Entry& one : header.entries) {
    Tensor tensor = Tensor::empty(std::move(one.info.shape), one.info.dtype);
    input.read(header.data + one.first, {tensor.raw_bytes(), tensor.bytes()});
    result.tensors.emplace_back(std::move(one.info.name), std::move(tensor));
  }
  return result;
}

std::vector<TensorInfo> list_safetensors(const std::filesystem::path& file,
                                         std::map<std::string, std::string>* metadata) {
  Header header = read_header(InputFile(file));
  std::vector<TensorInfo> infos;
  for (Entry& one : header.entries) infos.push_back(std::move(one.info));
  if (metadata != nullptr) *metadata = std::move(header.metadata);
  return infos;
}

void write_safetensors(const std::filesystem::path& file, const SafeTensors& contents) {
  check_names(file, contents);
  // Wide elements first, so that every tensor is aligned without holes.
  std::vector<std::size_t> order(contents.tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return item_size(contents.tensors[a].second.dtype()) >
           item_size(contents.tensors[b].second.dtype());
  });
  std::vector<std::uint64_t> offsets(order.size());
  std::uint64_t next = 0;
  for (const std::size_t i : order) {
    offsets[i] = next;
    next += contents.tensors[i].second.bytes();
  }
  const std::string header = header_text(contents, offsets);
  std::array<unsigned char, 8> prefix{};
  for (std::size_t i = 0; i < 8; ++i)
    prefix[i] = static_cast<unsigned char>(std::uint64_t{header.size()} >> (8 * i));
  write_file_atomically(file, [&](const auto& append) {
    append(prefix.data(), prefix.size());
    append(header.data(), header.size());
    for (const std::size_t i : order) {
      const Tensor dense = contents.tensors[i].second.to_host().dense();
      append(dense.raw_bytes(), dense.bytes());
    }
  });
}

}  // namespace dml
