#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "data/image/reader.hpp"

namespace dml {

/// Begins to decode a JPEG; see open_picture.
std::unique_ptr<PictureDecoder> open_jpeg(std::string_view bytes, const std::string& name);

/// A baseline JPEG of the picture, 4:2:0, accurate integer DCT. The same pixels give the same
/// bytes.
/// @param quality  1..100, as libjpeg understands it.
std::string encode_jpeg(const Image& image, int quality);

}  // namespace dml
