#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "data/image/jpeg.hpp"
#include "data/transform.hpp"
#include "engine/random.hpp"
#include "tests/places.hpp"

namespace dml::testing {

/// A picture of smooth colours, edges and noise.
inline Image sample_picture(std::int64_t height, std::int64_t width, std::uint64_t seed = 1) {
  const Random random(seed, Purpose::render);
  Image image(height, width);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto noise = random.bits(static_cast<std::uint64_t>((y * width + x) * 3 + c)) % 40;
        const auto edge = (x / 7 + y / 5 + c) % 3 == 0 ? 90 : 0;
        image.row(y)[3 * x + c] = static_cast<std::uint8_t>((x * 2 + y + 30 * c) % 120 + edge +
                                                            static_cast<std::int64_t>(noise));
      }
  return image;
}

inline void write_bytes(const std::filesystem::path& file, std::string_view bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline void write_jpeg(const std::filesystem::path& file, std::uint64_t seed = 1,
                       std::int64_t height = 40, std::int64_t width = 50) {
  write_bytes(file, encode_jpeg(sample_picture(height, width, seed), 90));
}

/// Where reference vectors of the images lie: $DML_GOLDEN_DIR or ../shared/golden; may be absent.
inline std::filesystem::path golden_images() {
  const char* place = std::getenv("DML_GOLDEN_DIR");
  const std::filesystem::path golden = place != nullptr ? place : source_dir() / "../shared/golden";
  return golden / "images";
}

/// A 1 x 1 PNG with a red pixel.
inline std::string tiny_png() {
  static constexpr unsigned char bytes[] = {
      0x89, 'P',  'N',  'G',  0x0D, 0x0A, 0x1A, 0x0A, 0,   0,    0,    13,   'I',  'H',
      'D',  'R',  0,    0,    0,    1,    0,    0,    0,   1,    8,    2,    0,    0,
      0,    0x90, 0x77, 0x53, 0xDE, 0,    0,    0,    12,  'I',  'D',  'A',  'T',  0x08,
      0xD7, 0x63, 0xF8, 0xCF, 0xC0, 0,    0,    3,    1,   1,    0,    0x18, 0xDD, 0x8D,
      0xB0, 0,    0,    0,    0,    'I',  'E',  'N',  'D', 0xAE, 0x42, 0x60, 0x82};
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

}  // namespace dml::testing
