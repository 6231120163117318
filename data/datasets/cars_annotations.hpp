#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dml {

/// One picture of an annotation file of Cars196.
struct CarsAnnotation {
  std::string file;        ///< as the annotations name it
  std::int64_t label = 0;  ///< class from 1; 0 when the file does not say (the devkit's test list)
};

/// Reads the array of structures `annotations` of a MATLAB 5 file of Cars196: field `class` and
/// `relative_im_path` (cars_annos.mat) or `fname` (the devkit's lists).
/// @throws FormatError when the file is none.
std::vector<CarsAnnotation> read_cars_annotations(const std::filesystem::path& file);

/// The cell array `class_names` of cars_annos.mat or cars_meta.mat; empty when there is none.
std::vector<std::string> read_cars_class_names(const std::filesystem::path& file);

}  // namespace dml
