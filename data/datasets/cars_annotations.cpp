#include "data/datasets/cars_annotations.hpp"

#include <fmt/format.h>
#include <matio.h>

#include <memory>

#include "engine/error.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(mat_t* file) const { Mat_Close(file); }
};
struct FreeVariable {
  void operator()(matvar_t* variable) const { Mat_VarFree(variable); }
};
using File = std::unique_ptr<mat_t, CloseFile>;
using Variable = std::unique_ptr<matvar_t, FreeVariable>;

/// The library prints what it finds wrong unless it is told to keep quiet.
void keep_quiet(int, char*) {}

File open(const fs::path& path) {
  Mat_LogInitFunc("dml", keep_quiet);
  File file(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
  if (!file)
    throw FormatError(fmt::format(
        "{}: this is no MATLAB 5 file\n  download it again, it may be an error page of the server",
        path.string()));
  return file;
}

std::string text_of(const matvar_t* variable) {
  if (variable == nullptr || variable->data == nullptr || variable->class_type != MAT_C_CHAR ||
      variable->rank != 2)
    return {};
  const std::size_t length = variable->dims[0] * variable->dims[1];
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    if (variable->data_size == 1) {
      text += static_cast<const char*>(variable->data)[i];
    } else {
      const auto* units = static_cast<const std::uint16_t*>(variable->data);
      text += units[i] < 128 ? static_cast<char>(units[i]) : '?';
    }
  }
  return text;
}

std::int64_t integer_of(const matvar_t* variable) {
  if (variable == nullptr || variable->data == nullptr) return 0;
  switch (variable->class_type) {
    case MAT_C_DOUBLE:
      return static_cast<std::int64_t>(*static_cast<double*>(variable->data));
    case MAT_C_SINGLE:
      return static_cast<std::int64_t>(*static_cast<float*>(variable->data));
    case MAT_C_UINT8:
      return *static_cast<std::uint8_t*>(variable->data);
    case MAT_C_INT16:
      return *static_cast<std::int16_t*>(variable->data);
    case MAT_C_UINT16:
      return *static_cast<std::uint16_t*>(variable->data);
    case MAT_C_INT32:
      return *static_cast<std::int32_t*>(variable->data);
    default:
      return 0;
  }
}

std::size_t count_of(const matvar_t& variable) {
  std::size_t count = 1;
  for (int i = 0; i < variable.rank; ++i) count *= variable.dims[i];
  return count;
}

}  // namespace

std::vector<CarsAnnotation> read_cars_annotations(const fs::path& path) {
  const File file = open(path);
  const Variable list(Mat_VarRead(file.get(), "annotations"));
  if (!list || list->class_type != MAT_C_STRUCT || list->data == nullptr)
    throw FormatError(fmt::format("{}: holds no array of structures 'annotations'", path.string()));
  std::vector<CarsAnnotation> annotations;
  for (std::size_t i = 0; i < count_of(*list); ++i) {
    CarsAnnotation one;
    for (const char* name : {"relative_im_path", "fname"})
      if (one.file.empty()) one.file = text_of(Mat_VarGetStructFieldByName(list.get(), name, i));
    if (one.file.empty())
      throw FormatError(fmt::format("{}: annotation {} has neither 'relative_im_path' nor 'fname'",
                                    path.string(), i + 1));
    one.label = integer_of(Mat_VarGetStructFieldByName(list.get(), "class", i));
    annotations.push_back(std::move(one));
  }
  if (annotations.empty()) throw FormatError(path.string() + ": 'annotations' is empty");
  return annotations;
}

std::vector<std::string> read_cars_class_names(const fs::path& path) {
  const File file = open(path);
  const Variable list(Mat_VarRead(file.get(), "class_names"));
  std::vector<std::string> names;
  if (!list || list->class_type != MAT_C_CELL || list->data == nullptr) return names;
  for (std::size_t i = 0; i < count_of(*list); ++i)
    names.push_back(text_of(Mat_VarGetCell(list.get(), static_cast<int>(i))));
  return names;
}

}  // namespace dml
