#include "data/image/reader.hpp"
#include "tests/fuzz/fuzz.hpp"

DML_FUZZ(bytes) {
  const auto decoder = dml::open_picture(bytes, "case");
  const dml::Size size = decoder->size();
  if (size.height * size.width > 1 << 18) return;  // a second each, and no other paths
  dml::Image whole;
  decoder->read({0, 0, size.width, size.height}, whole);
  // Half of the picture by a decoder of its own has the same pixels.
  const dml::Box part{size.width / 4, size.height / 4, (size.width + 1) / 2, (size.height + 1) / 2};
  dml::Image half;
  dml::open_picture(bytes, "case")->read(part, half);
  for (std::int64_t y = 0; y < part.height; ++y)
    for (std::int64_t x = 0; x < part.width * 3; ++x)
      if (half.row(y)[x] != whole.row(part.top + y)[part.left * 3 + x]) __builtin_trap();
}
