#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "data/transform.hpp"

namespace dml {

/// The most pixels that a picture may have; Pillow refuses the same (decompression bombs).
inline constexpr std::int64_t most_pixels = 178956970;

/// One picture in the act of being decoded: its size is known, its pixels are not yet.
class PictureDecoder {
 public:
  virtual ~PictureDecoder() = default;
  virtual Size size() const = 0;
  /// Decodes the pixels of a region; once only. The result equals the same part of the whole
  /// picture bit for bit. @throws FormatError.
  virtual void read(const Box& region, Image& out) = 0;
};

/// Begins to decode a JPEG or PNG, told apart by content. `bytes` must outlive the decoder.
///
/// Pixels are those of Pillow's open(file).convert("RGB") on the same libjpeg-turbo: the accurate
/// integer DCT, smooth chroma upsampling, grey copied to three channels, CMYK taken as inverted
/// (Adobe), alpha dropped, EXIF orientation and colour profiles ignored.
/// @param name  of the file, for messages.
/// @throws FormatError naming the file when it is neither, damaged, cut off or larger than
///   most_pixels.
std::unique_ptr<PictureDecoder> open_picture(std::string_view bytes, const std::string& name);

/// Decodes a whole picture from memory.
Image decode_picture(std::string_view bytes, const std::string& name);
/// Decodes a whole picture. @throws DataError when the file cannot be read, FormatError as above.
Image read_picture(const std::filesystem::path& file);

}  // namespace dml
