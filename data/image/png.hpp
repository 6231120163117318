#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "data/image/reader.hpp"

namespace dml {

/// Begins to decode a PNG; see open_picture. 16 bits per channel are cut to the upper 8.
std::unique_ptr<PictureDecoder> open_png(std::string_view bytes, const std::string& name);

}  // namespace dml
