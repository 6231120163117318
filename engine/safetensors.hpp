#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// A file in the safetensors format: named host tensors, in order, and a table of texts.
struct SafeTensors {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or null.
  const Tensor* find(const std::string& name) const;
  /// The tensor of that name. @throws FormatError that lists near names.
  const Tensor& at(const std::string& name) const;
  /// The metadata value of that key, or fallback.
  std::string text(const std::string& key, const std::string& fallback = {}) const;
};

/// Reads a file. Every length and offset is checked against the size of the file before use.
/// @throws DataError when it cannot be read, FormatError (file, what, where) when it is malformed.
SafeTensors read_safetensors(const std::filesystem::path& file);
/// Reads only the header: tensors are defined() == false, shapes and types come with `info`.
struct TensorInfo {
  std::string name;
  DType dtype;
  Shape shape;
};
/// The tensors of a file without their data, and its metadata where wanted.
std::vector<TensorInfo> list_safetensors(const std::filesystem::path& file,
                                         std::map<std::string, std::string>* metadata = nullptr);

/// Writes a file atomically: to a temporary name beside it, synced, renamed. Data start at a
/// multiple of 64 bytes. The same contents give the same bytes. @throws Error on a full disk.
void write_safetensors(const std::filesystem::path& file, const SafeTensors& contents);

}  // namespace dml
