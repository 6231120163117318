#pragma once
#include <filesystem>
#include <string>

#include "data/dataset.hpp"

namespace dml {

/// The images of a manifest as a list that --dataset folder reads:
/// path,label,split[,query,gallery][,x,y,width,height], the last ones where an image needs them.
/// @param file  where the list will be: paths below its folder are relative to it, others absolute.
std::string manifest_csv(const Manifest& manifest, const std::filesystem::path& file);

}  // namespace dml
