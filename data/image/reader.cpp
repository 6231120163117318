#include "data/image/reader.hpp"

#include <fmt/format.h>

#include "data/image/jpeg.hpp"
#include "data/image/png.hpp"
#include "engine/error.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

struct Signature {
  std::string_view begin;
  const char* name;
};
constexpr Signature others[] = {{"GIF8", "GIF"},       {"BM", "BMP"},    {"RIFF", "WebP or RIFF"},
                                {"II*", "TIFF"},       {"MM", "TIFF"},   {"P5", "PGM"},
                                {"P6", "PPM"},         {"%PDF", "PDF"},  {"<svg", "SVG"},
                                {"<!DOCTYPE", "HTML"}, {"<html", "HTML"}};

[[noreturn]] void refuse(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) throw FormatError(name + ": the file is empty\n  copy or download it again");
  for (const Signature& other : others)
    if (bytes.substr(0, other.begin.size()) == other.begin)
      throw FormatError(fmt::format("{}: this is a {} file; JPEG and PNG can be read\n  convert it",
                                    name, other.name));
  throw FormatError(name +
                    ": neither a JPEG nor a PNG\n  copy or download it again, or take it out");
}

}  // namespace

std::unique_ptr<PictureDecoder> open_picture(std::string_view bytes, const std::string& name) {
  using namespace std::string_view_literals;
  if (bytes.substr(0, 3) == "\xFF\xD8\xFF"sv) return open_jpeg(bytes, name);
  if (bytes.substr(0, 8) == "\x89PNG\r\n\x1A\n"sv) return open_png(bytes, name);
  refuse(bytes, name);
}

Image decode_picture(std::string_view bytes, const std::string& name) {
  const auto decoder = open_picture(bytes, name);
  const Size size = decoder->size();
  Image image;
  decoder->read({0, 0, size.width, size.height}, image);
  return image;
}

Image read_picture(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  return decode_picture(bytes, file.string());
}

}  // namespace dml
