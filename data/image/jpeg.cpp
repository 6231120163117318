#include "data/image/jpeg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "data/image/jpeg_common.hpp"
#include "data/image/to_rgb.hpp"
#include "engine/error.hpp"
//
#include <jerror.h>

namespace dml {
namespace jpeg {
namespace {

[[noreturn]] void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  info->err->format_message(info, errors->text);
  errors->code = info->err->msg_code;
  std::longjmp(errors->jump, 1);
}

}  // namespace

jpeg_error_mgr* install(Errors& errors) {
  jpeg_error_mgr* base = jpeg_std_error(&errors.base);
  base->error_exit = on_error;
  base->emit_message = [](j_common_ptr, int) {};
  base->output_message = [](j_common_ptr) {};
  return base;
}

}  // namespace jpeg

namespace {

// Reading past the end is an error: libjpeg's own source would put an end marker there, warn, and
// leave the rest of the picture grey.
void source_nothing(j_decompress_ptr) {}
boolean source_ended(j_decompress_ptr info) {
  ERREXIT(info, JERR_INPUT_EOF);
  return FALSE;
}
void source_skip(j_decompress_ptr info, long bytes) {
  if (bytes <= 0) return;
  if (static_cast<std::size_t>(bytes) > info->src->bytes_in_buffer) ERREXIT(info, JERR_INPUT_EOF);
  info->src->next_input_byte += bytes;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(bytes);
}

/// A few hundred bytes can hold thousands of scans, each of which walks over the whole picture.
constexpr int most_scans = 500;
void on_progress(j_common_ptr info) {
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number > most_scans) ERREXIT(info, JERR_BAD_PROGRESSION);
}

class JpegDecoder final : public PictureDecoder {
 public:
  JpegDecoder(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
    info_.err = jpeg::install(errors_);
    const bool ok = jpeg::guarded(errors_, [this] { begin(); });
    if (!ok) fail();
    if (!known_colours())
      throw FormatError(fmt::format("{}: a JPEG of {} components; 1, 3 and 4 can be read", name_,
                                    info_.num_components));
    const std::int64_t pixels = std::int64_t{info_.image_width} * info_.image_height;
    if (pixels > most_pixels)
      throw FormatError(fmt::format(
          "{}: its header promises {} x {} pixels; {} is the most that is read\n  the file is "
          "damaged, or scale the picture down",
          name_, info_.image_width, info_.image_height, most_pixels));
  }

  Size size() const override { return {info_.image_height, info_.image_width}; }

  void read(const Box& region, Image& out) override {
    const bool whole = region == Box{0, 0, size().width, size().height};
    if (!whole && can_skip()) {
      read_region(region, out);
    } else {
      read_whole(whole ? out : scratch_);
      if (!whole) out = crop(scratch_, region);
    }
  }

 private:
  /// Reads the header. Runs under guarded().
  void begin() {
    jpeg_create_decompress(&info_);
    source_ = {};
    source_.init_source = source_nothing;
    source_.fill_input_buffer = source_ended;
    source_.skip_input_data = source_skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = source_nothing;
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes_.data());
    source_.bytes_in_buffer = bytes_.size();
    info_.src = &source_;
    progress_ = {};
    progress_.progress_monitor = on_progress;
    info_.progress = &progress_;
    info_.mem->max_memory_to_use = 1L << 30;
    jpeg_read_header(&info_, TRUE);
    info_.dct_method = JDCT_ISLOW;
    info_.do_fancy_upsampling = TRUE;
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
  }

  bool known_colours() const {
    const int n = info_.num_components;
    return n == 1 || n == 3 || n == 4;
  }

  /// Whether rows and columns can be left out. Only where this was found to give the same pixels
  /// for every crop, and where the file has its end (one that is cut off shall fail whatever part
  /// of it is asked for).
  bool can_skip() const {
    if (info_.progressive_mode || info_.arith_code || info_.num_components == 4) return false;
    if (bytes_.substr(bytes_.size() - 2) != "\xFF\xD9") return false;
    if (info_.num_components == 1) return true;
    const jpeg_component_info* c = info_.comp_info;
    const bool plain = c[1].h_samp_factor == 1 && c[1].v_samp_factor == 1 &&
                       c[2].h_samp_factor == 1 && c[2].v_samp_factor == 1;
    const int h = c[0].h_samp_factor, v = c[0].v_samp_factor;
    return plain && ((h == 1 && v == 1) || (h == 2 && v == 1) || (h == 2 && v == 2));
  }

  void read_whole(Image& out) {
    const std::int64_t height = info_.image_height, width = info_.image_width;
    if (!jpeg::guarded(errors_, [this] { jpeg_start_decompress(&info_); })) fail();
    // The header alone is no reason to take much memory: it grows with the rows that do come.
    const std::int64_t block = std::max<std::int64_t>(1, (std::int64_t{1} << 24) / width);
    out.reshape(std::min(block, height), width);
    if (info_.num_components == 4) line_.resize(static_cast<std::size_t>(width) * 4);
    for (std::int64_t y = 0; y < height;) {
      const std::int64_t end = std::min(height, y + block);
      if (out.height < end) out.reshape(end, width);
      if (!jpeg::guarded(errors_, [&] { read_rows(out, y, end); })) fail();
      y = end;
    }
    if (!jpeg::guarded(errors_, [this] { jpeg_finish_decompress(&info_); })) fail();
  }

  /// Decodes rows [first, last) into `out`. Runs under guarded().
  void read_rows(Image& out, std::int64_t first, std::int64_t last) {
    for (std::int64_t y = first; y < last; ++y) {
      JSAMPROW row = info_.num_components == 4 ? line_.data() : out.row(y);
      jpeg_read_scanlines(&info_, &row, 1);
      if (info_.num_components == 4) convert_cmyk(out.row(y));
    }
  }

  void convert_cmyk(std::uint8_t* rgb) {
    for (std::size_t i = 0; i < line_.size(); i += 4, rgb += 3) {
      for (std::size_t c = 0; c < 4; ++c)
        line_[i + c] = static_cast<std::uint8_t>(255 - line_[i + c]);
      cmyk_to_rgb(&line_[i], rgb);
    }
  }

  /// Skipped rows still cost entropy decoding, rows below the region nothing.
  void read_region(const Box& region, Image& out) {
    const std::int64_t width = info_.image_width;
    // Chroma upsampling looks one column to each side, and libjpeg takes another way for strips of
    // four columns or less. On the left it widens to a whole block by itself.
    constexpr std::int64_t least = 16;
    const std::int64_t right =
        std::min(width, std::max(region.left + region.width + 1, region.left - 1 + least));
    const std::int64_t left = std::max<std::int64_t>(0, std::min(region.left - 1, right - least));
    JDIMENSION start = static_cast<JDIMENSION>(left);
    JDIMENSION columns = static_cast<JDIMENSION>(right - left);
    const bool began = jpeg::guarded(errors_, [&] {
      jpeg_start_decompress(&info_);
      jpeg_crop_scanline(&info_, &start, &columns);
      if (region.top > 0) jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(region.top));
    });
    if (!began) fail();
    out.reshape(region.height, region.width);
    line_.resize(static_cast<std::size_t>(info_.output_width) * 3);
    const std::size_t offset = static_cast<std::size_t>(region.left - start) * 3;
    const bool ok = jpeg::guarded(errors_, [&] {
      for (std::int64_t y = 0; y < region.height; ++y) {
        JSAMPROW row = line_.data();
        jpeg_read_scanlines(&info_, &row, 1);
        std::memcpy(out.row(y), line_.data() + offset, static_cast<std::size_t>(out.row_bytes()));
      }
      jpeg_abort_decompress(&info_);
    });
    if (!ok) fail();
  }

  [[noreturn]] void fail() {
    if (errors_.code == JERR_INPUT_EOF)
      throw FormatError(
          fmt::format("{}: the JPEG is cut off: its data end after {} bytes, before the picture "
                      "does\n  copy or "
                      "download it again",
                      name_, bytes_.size()));
    throw FormatError(fmt::format("{}: damaged JPEG: {}", name_, errors_.text));
  }

  std::string_view bytes_;
  std::string name_;
  jpeg::Errors errors_{};
  struct Decompressor : jpeg_decompress_struct {
    Decompressor() : jpeg_decompress_struct{} {}
    ~Decompressor() { jpeg_destroy_decompress(this); }
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;
  } info_;
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::vector<JSAMPLE> line_;
  Image scratch_;
};

}  // namespace

std::unique_ptr<PictureDecoder> open_jpeg(std::string_view bytes, const std::string& name) {
  return std::make_unique<JpegDecoder>(bytes, name);
}

}  // namespace dml
