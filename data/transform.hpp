#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "engine/preprocessing.hpp"
#include "engine/random.hpp"
#include "engine/registry.hpp"

namespace dml {

/// A rectangle that is painted over the input of the net, behind the normalisation.
struct Painted {
  Box box;
  std::array<float, 3> colour;  ///< in the order of the net's channels
  bool operator==(const Painted&) const = default;
};

/// A picture: [height, width, 3], red, green, blue, row after row without gaps.
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<Painted> painted{};  ///< in order; only the last transforms may add to it

  Image() = default;
  /// A black picture.
  Image(std::int64_t h, std::int64_t w)
      : height(h), width(w), pixels(static_cast<std::size_t>(h * w * 3)) {}

  /// Another size; what the pixels are afterwards is not defined.
  void reshape(std::int64_t h, std::int64_t w) {
    height = h;
    width = w;
    pixels.resize(static_cast<std::size_t>(h * w * 3));
  }
  std::uint8_t* row(std::int64_t y) { return pixels.data() + y * width * 3; }
  const std::uint8_t* row(std::int64_t y) const { return pixels.data() + y * width * 3; }
  std::int64_t row_bytes() const { return width * 3; }
  bool operator==(const Image&) const = default;
};

/// Height and width of a picture, in pixels.
struct Size {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const Size&) const = default;
};

/// The part of an image inside a box. @throws ShapeError when the box is empty or not inside.
Image crop(const Image& image, const Box& box);

/// One step between the decoded picture and the picture that the net sees. It has two halves, so
/// that the first step of a pipeline can tell the decoder which part of the picture it needs:
/// region() chooses the part, apply() works on that part. Both draw from the same sequence, in that
/// order. Transforms hold no state that changes: one object serves all workers.
class Transform {
 public:
  static constexpr const char* kind = "transform";
  struct Setup {
    std::int64_t size = 224;  ///< of the side of the square picture that the net wants, in pixels
  };

  virtual ~Transform() = default;
  /// The part of a picture of that size that apply() wants to see; by default all of it.
  virtual Box region(Size size, RandomSequence& random) const;
  /// Changes the part that region() chose.
  virtual void apply(Image& part, RandomSequence& random) const = 0;
};

/// Transforms in order.
class Pipeline {
 public:
  /// An empty pipeline hands pictures on as they are.
  Pipeline() = default;
  /// Appends the transform of that name (Registry<Transform>).
  Pipeline& then(const std::string& name, const Settings& settings, const Transform::Setup& setup);

  /// The part of a picture of that size that operator() wants; drawn by the first transform.
  Box region(Size size, RandomSequence& random) const;
  /// Runs all transforms on the part that region() chose.
  void operator()(Image& part, RandomSequence& random) const;
  /// region(), crop() and operator() in one.
  Image run(const Image& whole, RandomSequence& random) const;

 private:
  std::vector<std::shared_ptr<const Transform>> steps_;
};

/// A named way to prepare pictures, for training and for testing (--augment NAME).
class Augment {
 public:
  static constexpr const char* kind = "augment";
  struct Setup {
    std::int64_t size = 224;  ///< of the side of the square picture that the net wants, in pixels
  };

  virtual ~Augment() = default;
  virtual Pipeline train() const = 0;
  virtual Pipeline test() const = 0;
  /// The numbers that the net sees, where they are not those that net and weights want.
  virtual Preprocessing preprocessing(const Preprocessing& wanted) const { return wanted; }
};

}  // namespace dml
