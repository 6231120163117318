#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/registry.hpp"

namespace dml {

/// Which part of a dataset an image belongs to.
enum class Split : std::uint8_t { train, validation, test };

/// "train", "validation" or "test".
const char* name_of(Split split);
/// @throws UsageError for other words ("val" and "valid" mean validation).
Split split_of(const std::string& name);

/// A rectangle in pixels; one without area means "the whole image".
struct Box {
  std::int64_t left = 0;
  std::int64_t top = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;

  bool empty() const { return width <= 0 || height <= 0; }
  bool operator==(const Box&) const = default;
};

/// One image of a dataset.
struct Item {
  std::filesystem::path file;
  std::int64_t label = 0;  ///< of the whole dataset; the classes of the training split come first
  Split split = Split::train;
  Box box{};            ///< where the object is; the loader cuts it out. Empty: the whole image
  bool query = true;    ///< whether the image is searched for at test time
  bool gallery = true;  ///< whether the image can be found at test time
};

/// Images and classes of one split.
struct Counts {
  std::int64_t images = 0;
  std::int64_t classes = 0;
  bool operator==(const Counts&) const = default;
};

/// All images of a dataset, in an order that depends on its files alone.
struct Manifest {
  std::vector<Item> items;
  std::vector<std::string> class_names;  ///< by label
  std::filesystem::path root;            ///< the folder that was read
  std::string layout;                    ///< how the folder was understood, for messages

  /// The images of one split, in order.
  std::vector<Item> of(Split split) const;
  Counts counts(Split split) const;
};

/// What a complete copy of a published dataset holds.
struct Expected {
  std::int64_t train_images = 0;
  std::int64_t train_classes = 0;
  std::int64_t test_images = 0;
  std::int64_t test_classes = 0;
};

/// A set of labelled images with a split. Reading it opens no image.
class Dataset {
 public:
  static constexpr const char* kind = "dataset";
  struct Setup {
    std::filesystem::path root;  ///< --data-dir; what stands below it is the dataset's own affair
    /// Is told in one line when reading takes long (a built-in set is rendered). May be empty.
    std::function<void(const std::string&)> notice{};
    /// Whether a set that the program makes itself may be written below the root.
    bool may_write = true;
  };

  virtual ~Dataset() = default;

  /// Lists the images. @throws DataError that says what is missing and the way to get it.
  virtual Manifest read() const = 0;
  /// The published counts, when there are any.
  virtual std::optional<Expected> expected() const { return std::nullopt; }
};

/// Moves the last `fraction` (0..1) of the training classes (at least one when fraction > 0, never
/// all) to Split::validation. @throws UsageError when there is only one training class.
Manifest with_validation(Manifest manifest, double fraction);

/// A SHA-256 over the relative path, label, split and size of every file, in order: two folders
/// with the same fingerprint hold the same dataset, up to the bytes inside the images.
std::string fingerprint(const Manifest& manifest);

}  // namespace dml
