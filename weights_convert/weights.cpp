#include "weights_convert/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "engine/error.hpp"
#include "engine/file.hpp"
#include "engine/input_file.hpp"
#include "engine/npy.hpp"
#include "engine/safetensors.hpp"
#include "weights_convert/assemble.hpp"

namespace dml::weights {
namespace {

namespace fs = std::filesystem;

/// What the first bytes say; nothing for formats that are read.
const char* foreign_format(const InputFile& input, std::string_view head) {
  using namespace std::string_view_literals;
  constexpr std::pair<std::string_view, const char*> known[] = {
      {"\x1F\x8B"sv, "a gzip file; unpack it first (gunzip)"},
      {"version https://git-lfs"sv,
       "a Git LFS pointer, not the file itself; fetch it (git lfs pull)"},
      {"version "sv, "a pointer to a large file, not the file itself"},
      {"\x89PNG"sv, "a PNG picture"},
      {"\xFF\xD8\xFF"sv, "a JPEG picture"},
      {"\x93NUMPY"sv, "a single .npy array; give the folder with all arrays of the net"},
      {"\x89HDF"sv, "an HDF5 file (Keras?); only PyTorch's formats, safetensors and .npy are read"},
      {"BZh"sv, "a bzip2 file; unpack it first"},
      {"\xFD"
       "7zXZ"sv,
       "an xz file; unpack it first"},
      {"7z\xBC\xAF"sv, "a 7-Zip file; unpack it first"}};
  if (head.empty()) return "the file is empty";
  for (const auto& [start, what] : known)
    if (head.rfind(start, 0) == 0) return what;
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && head[first] == '<')
    return "a web page, probably the error page of a download";
  if (input.size() > 262 && head.size() > 262 && head.substr(257, 5) == "ustar")
    return "a tar file (the layout of the very first torch versions); load and save it again with "
           "torch 1.0 to 2.5";
  return nullptr;
}

bool is_safetensors(const InputFile& input, std::string_view head) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8U | static_cast<unsigned char>(head[i]);
  return length <= input.size() - 8;
}

Weights from_checkpoint(const Checkpoint& checkpoint, std::uint64_t size, const char* format) {
  Flattened flattened;
  try {
    flattened = flatten(checkpoint.tree());
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", checkpoint.where(), error.what()));
  }
  Weights weights;
  weights.tensors = assemble(checkpoint, flattened, size);
  weights.format = format;
  weights.left_out = flattened.left_out;
  weights.unwrapped = std::move(flattened.unwrapped);
  return weights;
}

Weights from_safetensors(const fs::path& file) {
  SafeTensors contents = read_safetensors(file);
  Weights weights;
  weights.tensors = std::move(contents.tensors);
  weights.metadata = std::move(contents.metadata);
  weights.format = "safetensors";
  return weights;
}

/// Names are the paths below the folder, without ending, with dots for slashes.
Weights from_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& one : fs::recursive_directory_iterator(folder))
    if (one.is_regular_file() && one.path().extension() == ".npy") files.push_back(one.path());
  if (files.empty())
    throw DataError(fmt::format("{}: the folder holds no .npy files", folder.string()));
  std::sort(files.begin(), files.end());
  Weights weights;
  weights.format = "npy folder";
  std::string lines;
  for (const fs::path& file : files) {
    std::string name = fs::relative(file, folder).replace_extension().generic_string();
    std::replace(name.begin(), name.end(), '/', '.');
    if (!is_utf8(name)) throw FormatError(fmt::format("{}: the name is not UTF-8", file.string()));
    lines += fmt::format("{} {}\n", name, sha256_of_file(file));
    weights.tensors.emplace_back(std::move(name), read_npy(file));
  }
  weights.sha256 = sha256(std::as_bytes(std::span<const char>(lines)));
  return weights;
}

/// The prefix that torch's DataParallel puts in front of every name.
bool strip_module(NamedTensors& tensors) {
  constexpr std::string_view prefix = "module.";
  for (const auto& [name, tensor] : tensors)
    if (name.rfind(prefix, 0) != 0) return false;
  for (auto& [name, tensor] : tensors) name.erase(0, prefix.size());
  return true;
}

void check_names(const fs::path& input, const NamedTensors& tensors) {
  std::unordered_set<std::string_view> names;
  if (tensors.empty())
    throw FormatError(fmt::format("{}: there is no tensor in the file", input.string()));
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__")
      throw FormatError(
          fmt::format("{}: a tensor is called __metadata__, which safetensors files "
                      "keep for themselves",
                      input.string()));
    if (!names.insert(name).second)
      throw FormatError(
          fmt::format("{}: two tensors are called '{}'", input.string(), shown(name)));
  }
}

Weights from_file(const fs::path& file) {
  const InputFile input(file);
  const std::string head = input.text(0, std::min<std::uint64_t>(512, input.size()));
  if (head.rfind("PK\3\4", 0) == 0 || head.rfind("PK\5\6", 0) == 0)
    return from_checkpoint(*open_zip_checkpoint(file), input.size(), "torch zip");
  if (head.size() > 1 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
    return from_checkpoint(*open_legacy_checkpoint(file), input.size(), "torch legacy");
  if (const char* what = foreign_format(input, head))
    throw FormatError(fmt::format("{}: {}", file.string(), what));
  if (is_safetensors(input, head)) return from_safetensors(file);
  throw FormatError(
      fmt::format("{}: no format of weights that is known (PyTorch's zip and legacy "
                  "files, safetensors, a folder of .npy files)",
                  file.string()));
}

}  // namespace

Weights read_weights(const fs::path& input) {
  const bool folder = fs::is_directory(input);
  Weights weights = folder ? from_folder(input) : from_file(input);
  if (!folder) weights.sha256 = sha256_of_file(input);
  weights.prefix_stripped = strip_module(weights.tensors);
  check_names(input, weights.tensors);
  return weights;
}

}  // namespace dml::weights
