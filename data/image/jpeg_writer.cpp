#include <cstdlib>
#include <string>

#include "data/image/jpeg.hpp"
#include "data/image/jpeg_common.hpp"
#include "engine/error.hpp"

namespace dml {
namespace {

/// libjpeg's compressor with the memory that it writes to.
struct Compressor {
  Compressor() = default;
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  jpeg::Errors errors{};
  jpeg_compress_struct info{};
  unsigned char* buffer = nullptr;  // libjpeg allocates and grows it with malloc
  unsigned long size = 0;
};

}  // namespace

std::string encode_jpeg(const Image& image, int quality) {
  Compressor c;
  c.info.err = jpeg::install(c.errors);
  const bool ok = jpeg::guarded(c.errors, [&] {
    jpeg_create_compress(&c.info);
    jpeg_mem_dest(&c.info, &c.buffer, &c.size);
    c.info.image_width = static_cast<JDIMENSION>(image.width);
    c.info.image_height = static_cast<JDIMENSION>(image.height);
    c.info.input_components = 3;
    c.info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c.info);
    jpeg_set_quality(&c.info, quality, TRUE);
    c.info.dct_method = JDCT_ISLOW;
    jpeg_start_compress(&c.info, TRUE);
    for (std::int64_t y = 0; y < image.height; ++y) {
      auto* row = const_cast<JSAMPROW>(image.row(y));  // libjpeg only reads it
      jpeg_write_scanlines(&c.info, &row, 1);
    }
    jpeg_finish_compress(&c.info);
  });
  if (!ok) throw Error(std::string("a JPEG could not be written: ") + c.errors.text);
  return {reinterpret_cast<const char*>(c.buffer), c.size};
}

}  // namespace dml
