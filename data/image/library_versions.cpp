#include <fmt/core.h>
#include <jpeglib.h>
#include <png.h>

#include <cstdio>

#include "engine/libraries.hpp"

namespace dml {
namespace {

/// jconfig.h has the version as one number, 2001005 for 2.1.5.
const bool jpeg_noted =
    note_library("libjpeg-turbo", fmt::format("{}.{}.{}", LIBJPEG_TURBO_VERSION_NUMBER / 1000000,
                                              LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000,
                                              LIBJPEG_TURBO_VERSION_NUMBER % 1000));
const bool png_noted = note_library("libpng", PNG_LIBPNG_VER_STRING);

}  // namespace
}  // namespace dml
