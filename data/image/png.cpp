#include "data/image/png.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "engine/error.hpp"

namespace dml {
namespace {

/// libpng's two structures, freed together.
struct Handles {
  png_structp png = nullptr;
  png_infop info = nullptr;

  Handles() = default;
  ~Handles() { png_destroy_read_struct(&png, &info, nullptr); }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
};

class PngDecoder final : public PictureDecoder {
 public:
  PngDecoder(std::string_view bytes, std::string name) : rest_(bytes), name_(std::move(name)) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) throw Error("libpng could not be started: no memory");
    if (!guarded([this] { begin(); })) fail();
    const Size s = size();
    if (s.height * s.width > most_pixels)
      throw FormatError(fmt::format(
          "{}: its header promises {} x {} pixels; {} is the most that is read\n  the file is "
          "damaged, or scale the picture down",
          name_, s.width, s.height, most_pixels));
  }

  Size size() const override { return size_; }

  void read(const Box& region, Image& out) override {
    Image whole;
    // The header alone is no reason to take much memory: it grows with the rows that do come.
    // Interlaced pictures need all of it for every pass.
    const bool interlaced = passes_ > 1;
    const std::int64_t some = std::max<std::int64_t>(1, (std::int64_t{1} << 24) / size_.width);
    const std::int64_t block = interlaced ? size_.height : some;
    for (int pass = 0; pass < passes_; ++pass) {
      for (std::int64_t y = 0; y < size_.height;) {
        const std::int64_t end = std::min(size_.height, y + block);
        if (whole.height < end) whole.reshape(end, size_.width);
        const bool ok = guarded([&] {
          for (std::int64_t row = y; row < end; ++row) png_read_row(png_, whole.row(row), nullptr);
        });
        if (!ok) fail();
        y = end;
      }
    }
    if (!guarded([this] { png_read_end(png_, nullptr); })) fail();
    const bool all = region == Box{0, 0, size_.width, size_.height};
    out = all ? std::move(whole) : crop(whole, region);
  }

 private:
  /// Reads the header and asks for plain RGB rows. Runs under guarded().
  void begin() {
    png_set_read_fn(png_, this, on_read);
    png_set_user_limits(png_, 1 << 20, 1 << 20);
    png_read_info(png_, info_);
    size_ = {png_get_image_height(png_, info_), png_get_image_width(png_, info_)};
    png_set_expand(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  /// As jpeg::guarded: no object with a destructor may live inside fn when libpng fails.
  template <class Fn> bool guarded(const Fn& fn) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    fn();
    return true;
  }

  static void on_read(png_structp png, png_bytep out, std::size_t bytes) {
    auto* self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (bytes > self->rest_.size()) png_error(png, "the data end early");
    std::memcpy(out, self->rest_.data(), bytes);
    self->rest_.remove_prefix(bytes);
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->text_.data(), message, self->text_.size() - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  [[noreturn]] void fail() {
    throw FormatError(
        fmt::format("{}: damaged PNG: {}\n  copy or download it again", name_, text_.data()));
  }

  std::string_view rest_;
  std::string name_;
  std::array<char, 200> text_{};
  Handles handles_;
  png_structp& png_ = handles_.png;
  png_infop& info_ = handles_.info;
  Size size_;
  int passes_ = 1;
};

}  // namespace

std::unique_ptr<PictureDecoder> open_png(std::string_view bytes, const std::string& name) {
  return std::make_unique<PngDecoder>(bytes, name);
}

}  // namespace dml
