#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "data/dataset.hpp"
#include "data/image/erase.hpp"
#include "data/normalize.hpp"
#include "data/transform.hpp"

namespace dml {

/// Makes pictures out of items: reads the file, decodes the part that the pipeline wants,
/// transforms it. Nothing of it changes, so one object serves any number of threads.
class PictureSource {
 public:
  PictureSource(std::vector<Item> items, Pipeline pipeline, Preprocessing preprocessing,
                std::uint64_t seed);

  const std::vector<Item>& items() const { return items_; }

  /// The picture of an item. The same arguments give the same pixels.
  /// @param occurrence  how often the item came before in this epoch.
  /// @throws DataError, FormatError naming the file.
  Image picture(std::int64_t index, std::int64_t epoch, std::uint64_t occurrence) const;

  /// Writes the values that the net sees: [height, width, 3].
  void values(const Image& image, float* out) const {
    normalize(image, preprocessing_, table_, out);
    for (const Painted& one : image.painted)
      erase(out, {image.height, image.width}, one.box, one.colour);
  }

 private:
  const std::vector<Item> items_;
  const Pipeline pipeline_;
  const Preprocessing preprocessing_;
  const std::array<std::array<float, 256>, 3> table_;
  const std::uint64_t seed_;
};

}  // namespace dml
