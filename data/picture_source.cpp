#include "data/picture_source.hpp"

#include <fmt/format.h>

#include "data/image/reader.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

/// The part of the picture that belongs to the item.
Box object_of(const Item& item, Size size) {
  const Box& b = item.box;
  if (b.empty()) return {0, 0, size.width, size.height};
  if (b.left < 0 || b.top < 0 || b.width > size.width - b.left || b.height > size.height - b.top)
    throw DataError(fmt::format(
        "{}: its box (left {}, top {}, {} x {}) is not inside the picture of {} x {} pixels",
        item.file.string(), b.left, b.top, b.width, b.height, size.width, size.height));
  return b;
}

}  // namespace

PictureSource::PictureSource(std::vector<Item> items, Pipeline pipeline,
                             Preprocessing preprocessing, std::uint64_t seed)
    : items_(std::move(items)),
      pipeline_(std::move(pipeline)),
      preprocessing_(preprocessing),
      table_(value_table(preprocessing)),
      seed_(seed) {}

Image PictureSource::picture(std::int64_t index, std::int64_t epoch,
                             std::uint64_t occurrence) const {
  const Item& item = items_[static_cast<std::size_t>(index)];
  const std::string bytes = read_file(item.file);
  const auto decoder = open_picture(bytes, item.file.string());
  RandomSequence random(Random(seed_, Purpose::augment, static_cast<std::uint64_t>(epoch),
                               static_cast<std::uint64_t>(index))
                            .split(occurrence));
  const Box object = object_of(item, decoder->size());
  const Box region = pipeline_.region({object.height, object.width}, random);
  Image image;
  decoder->read({object.left + region.left, object.top + region.top, region.width, region.height},
                image);
  pipeline_(image, random);
  return image;
}

}  // namespace dml
