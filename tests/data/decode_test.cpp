#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "data/image/reader.hpp"
#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/data/picture.hpp"

namespace dml {
namespace {

using testing::sample_picture;

Box random_box(RandomSequence& random, Size size) {
  const auto draw = [&](std::int64_t side) {
    const auto length =
        1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(side)));
    const auto begin =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(side - length + 1)));
    return std::pair{begin, length};
  };
  const auto [left, width] = draw(size.width);
  const auto [top, height] = draw(size.height);
  return {left, top, width, height};
}

/// The text of the error, or "" when the picture could be read.
std::string error_of(std::string_view bytes) {
  try {
    decode_picture(bytes, "some/file.jpg");
    return "";
  } catch (const FormatError& error) {
    return error.what();
  }
}

void check_regions(const std::string& bytes, int boxes) {
  const Image whole = decode_picture(bytes, "x");
  RandomSequence random(Random(7, Purpose::augment, bytes.size()));
  for (int i = 0; i < boxes; ++i) {
    const auto decoder = open_picture(bytes, "x");
    const Box box = random_box(random, decoder->size());
    Image part;
    decoder->read(box, part);
    CHECK_MESSAGE(part == crop(whole, box), "left ", box.left, " top ", box.top, " ", box.width,
                  " x ", box.height, " of ", whole.width, " x ", whole.height);
  }
}

TEST_CASE("decode: a region equals the same part of the whole picture") {
  for (const auto& [height, width] : {std::pair{61, 83}, {64, 64}, {17, 200}, {120, 33}, {5, 3}})
    check_regions(encode_jpeg(sample_picture(height, width), 90), 150);
}

TEST_CASE("decode: writing and reading a picture changes it little") {
  Image image(64, 64);
  for (std::int64_t i = 0; i < 64 * 64; ++i)
    for (std::int64_t c = 0; c < 3; ++c)
      image.pixels[static_cast<std::size_t>(3 * i + c)] =
          static_cast<std::uint8_t>(i / 64 + i % 64 + 30 * c);
  const Image back = decode_picture(encode_jpeg(image, 95), "x");
  REQUIRE(back.pixels.size() == image.pixels.size());
  int worst = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    worst = std::max(worst, std::abs(image.pixels[i] - back.pixels[i]));
  CHECK(worst <= 6);
}

TEST_CASE("decode: a PNG is read whatever its name") {
  const Image image = decode_picture(testing::tiny_png(), "red.jpg");
  CHECK(image.height == 1);
  CHECK(image.pixels == std::vector<std::uint8_t>{255, 0, 0});
}

TEST_CASE("decode: files cut off anywhere are refused, by name") {
  const std::string jpeg = encode_jpeg(sample_picture(90, 120), 90);
  for (std::size_t length = 0; length + 1 < jpeg.size(); length += 50) {
    const std::string text = error_of(std::string_view(jpeg).substr(0, length));
    CHECK_MESSAGE(text.find("some/file.jpg") == 0, "at ", length, ": ", text);
  }
  const std::string png = testing::tiny_png();
  for (std::size_t length = 0; length < png.size() - 12; ++length)
    CHECK(!error_of(std::string_view(png).substr(0, length)).empty());
}

TEST_CASE("decode: a file cut off is refused even when only its upper part is asked for") {
  const std::string jpeg = encode_jpeg(sample_picture(90, 120), 90);
  const std::string_view cut = std::string_view(jpeg).substr(0, jpeg.size() - 40);
  const auto decoder = open_picture(cut, "x");
  Image part;
  CHECK_THROWS_AS(decoder->read({0, 0, 10, 10}, part), FormatError);
}

TEST_CASE("decode: damaged bytes give a picture or an error, never a crash") {
  const std::string good = encode_jpeg(sample_picture(60, 70), 80);
  RandomSequence random(Random(3, Purpose::augment));
  for (int i = 0; i < 400; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k)
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    try {
      const auto decoder = open_picture(bad, "x");
      if (decoder->size().height * decoder->size().width > 4000000) continue;
      Image part;
      decoder->read(random_box(random, decoder->size()), part);
    } catch (const FormatError&) {
    }
  }
}

TEST_CASE("decode: messages say what the file is") {
  CHECK(error_of("").find("the file is empty") != std::string::npos);
  CHECK(error_of("GIF89a....").find("GIF") != std::string::npos);
  CHECK(error_of("hello").find("neither a JPEG nor a PNG") != std::string::npos);
  const std::string jpeg = encode_jpeg(sample_picture(90, 120), 90);
  CHECK(error_of(jpeg.substr(0, jpeg.size() / 2)).find("cut off") != std::string::npos);
}

TEST_CASE("decode: a header that promises too many pixels is refused") {
  std::string jpeg = encode_jpeg(sample_picture(90, 120), 90);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  for (const std::size_t side : {5, 7}) jpeg.replace(frame + side, 2, "\xEA\x60");
  CHECK(error_of(jpeg).find("60000 x 60000") != std::string::npos);
}

TEST_CASE("decode: the corpus of hostile and unusual files behaves as its manifest says") {
  const std::filesystem::path folder = testing::golden_images();
  if (!std::filesystem::exists(folder / "manifest.json")) {
    MESSAGE("skipped: no reference vectors at ", folder.string());
    return;
  }
  const auto manifest = nlohmann::json::parse(read_file(folder / "manifest.json"));
  for (const auto& entry : manifest) {
    const auto name = entry.at("file").get<std::string>();
    const auto expected = entry.at("expect").get<std::string>();
    CAPTURE(name);
    const std::string bytes = read_file(folder / name);
    std::optional<Image> image;
    std::string text;
    try {
      image = decode_picture(bytes, name);
    } catch (const FormatError& error) {
      text = error.what();
    }
    CHECK(image.has_value() == text.empty());
    if (!text.empty()) CHECK(text.find(name) == 0);
    if (expected == "error") CHECK(!image);
    if (expected == "image") CHECK(image);
    if (!image) continue;
    const auto reference = folder / (name + ".safetensors");
    if (!std::filesystem::exists(reference)) continue;
    const Tensor wanted = read_safetensors(reference).at("out.image");
    const auto pixels = wanted.data<std::uint8_t>();
    CHECK(std::equal(pixels.begin(), pixels.end(), image->pixels.begin(), image->pixels.end()));
    if (image->height > 1 && expected == "image") check_regions(bytes, 40);
  }
}

}  // namespace
}  // namespace dml
