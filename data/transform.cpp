#include "data/transform.hpp"

#include <fmt/format.h>

#include <cstring>

#include "engine/check.hpp"

namespace dml {

Image crop(const Image& image, const Box& box) {
  DML_CHECK(!box.empty() && box.left >= 0 && box.top >= 0 && box.left + box.width <= image.width &&
                box.top + box.height <= image.height,
            fmt::format("crop: {} x {} pixels at ({}, {}) are not inside a picture of {} x {}",
                        box.width, box.height, box.left, box.top, image.width, image.height));
  Image out;
  out.reshape(box.height, box.width);
  for (std::int64_t y = 0; y < box.height; ++y)
    std::memcpy(out.row(y), image.row(box.top + y) + 3 * box.left,
                static_cast<std::size_t>(out.row_bytes()));
  return out;
}

Box Transform::region(Size size, RandomSequence&) const { return {0, 0, size.width, size.height}; }

Pipeline& Pipeline::then(const std::string& name, const Settings& settings,
                         const Transform::Setup& setup) {
  steps_.push_back(Registry<Transform>::make(name, settings, setup));
  return *this;
}

Box Pipeline::region(Size size, RandomSequence& random) const {
  if (steps_.empty()) return {0, 0, size.width, size.height};
  return steps_.front()->region(size, random);
}

void Pipeline::operator()(Image& part, RandomSequence& random) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (i > 0) {
      const Box box = steps_[i]->region({part.height, part.width}, random);
      if (box != Box{0, 0, part.width, part.height}) part = crop(part, box);
    }
    steps_[i]->apply(part, random);
  }
}

Image Pipeline::run(const Image& whole, RandomSequence& random) const {
  Image part = crop(whole, region({whole.height, whole.width}, random));
  (*this)(part, random);
  return part;
}

}  // namespace dml
