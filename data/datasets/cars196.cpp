#include <fmt/format.h>

#include <algorithm>

#include "data/dataset.hpp"
#include "data/datasets/cars_annotations.hpp"
#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Cars196 in the four layouts that are in circulation:
///   cars_annos.mat and car_ims/                            (all pictures under one numbering)
///   cars_train/, cars_test/ and the devkit's two lists     (cars_test_annos_withlabels.mat)
///   images/CLASS/image, or CLASS/image
///   train/CLASS/image and test/CLASS/image                 (below car_data/ as on Kaggle)
/// In all of them classes 1-98 train and 99-196 test; the official split is by images and not used.
class Cars196 final : public Dataset {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };

  Cars196(Options, const Setup& setup) : root_(setup.root) {}

  Manifest read() const override {
    for (const char* place : {"", "cars196", "cars", "CARS196", "Cars196", "stanford_cars"}) {
      const fs::path folder = *place == 0 ? root_ : root_ / place;
      if (fs::exists(folder / "cars_annos.mat")) return read_combined(folder);
      if (fs::is_directory(folder / "cars_train") || fs::is_directory(folder / "cars_test"))
        return read_devkit(folder);
      for (const char* data : {"", "car_data", "car_data/car_data"})
        if (fs::is_directory(folder / data / "train") && fs::is_directory(folder / data / "test"))
          return read_split_folders(folder / data);
      if (fs::is_directory(folder / "images"))
        return listing::class_folders(folder / "images", "cars196");
      if (fs::is_directory(folder) && listing::folders(folder).size() == classes)
        return listing::class_folders(folder, "cars196");
    }
    throw DataError(fmt::format(
        "cars196: {0} holds none of its four layouts:\n"
        "  cars_annos.mat with car_ims/; cars_train/ with cars_test/ and the devkit's lists;\n"
        "  images/CLASS/; train/CLASS/ with test/CLASS/\n"
        "  or at once, on pictures that the program draws itself: --dataset shapes",
        root_.string()));
  }

  std::optional<Expected> expected() const override {
    return Expected{8054, train_classes, 8131, classes - train_classes};
  }

 private:
  static constexpr std::int64_t classes = 196;
  static constexpr std::int64_t train_classes = 98;

  static void append(const fs::path& images, const fs::path& list, Manifest& manifest) {
    for (const CarsAnnotation& one : read_cars_annotations(list)) {
      listing::require_inside(one.file, list);
      if (one.label < 1 || one.label > classes)
        throw FormatError(fmt::format("{}: class {} of {}; classes are 1 to {}", list.string(),
                                      one.label, one.file, classes));
      manifest.items.push_back({.file = images / one.file,
                                .label = one.label - 1,
                                .split = one.label <= train_classes ? Split::train : Split::test});
    }
  }

  /// Names of the classes from a file that may be absent; else their numbers.
  static std::vector<std::string> names(const std::optional<fs::path>& file) {
    std::vector<std::string> list;
    if (file) list = read_cars_class_names(*file);
    for (std::int64_t c = static_cast<std::int64_t>(list.size()); c < classes; ++c)
      list.push_back(fmt::format("class {}", c + 1));
    list.resize(classes);
    return list;
  }

  static Manifest read_combined(const fs::path& folder) {
    const fs::path list = folder / "cars_annos.mat";
    Manifest manifest;
    manifest.root = folder;
    manifest.layout = "cars_annos.mat, car_ims/";
    append(folder, list, manifest);
    manifest.class_names = names(list);
    listing::require_files(manifest, "cars196", list);
    return manifest;
  }

  static Manifest read_devkit(const fs::path& folder) {
    const auto train =
        listing::first_existing(folder, {"cars_train_annos.mat", "devkit/cars_train_annos.mat",
                                         "car_devkit/devkit/cars_train_annos.mat"});
    const auto test = listing::first_existing(
        folder, {"cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat",
                 "car_devkit/devkit/cars_test_annos_withlabels.mat"});
    if (!train)
      throw DataError(
          fmt::format("cars196: found cars_train/ and cars_test/ in {} but no labels\n  needed: "
                      "devkit/cars_train_annos.mat and cars_test_annos_withlabels.mat",
                      folder.string()));
    if (!test)
      throw DataError(
          "cars196: found cars_train/ and cars_test/ but not the labels of the test images\n"
          "  needed: cars_test_annos_withlabels.mat (the devkit's cars_test_annos.mat has none)");
    Manifest manifest;
    manifest.root = folder;
    manifest.layout = "cars_train/, cars_test/, devkit/";
    append(folder / "cars_train", *train, manifest);
    append(folder / "cars_test", *test, manifest);
    manifest.class_names = names(listing::first_existing(
        folder, {"cars_meta.mat", "devkit/cars_meta.mat", "car_devkit/devkit/cars_meta.mat"}));
    listing::require_files(manifest, "cars196", *test);
    return manifest;
  }

  /// Both folders hold all classes; they are joined and split anew by class.
  static Manifest read_split_folders(const fs::path& folder) {
    Manifest train = listing::class_folders(folder / "train", "cars196");
    const Manifest test = listing::class_folders(folder / "test", "cars196");
    if (train.class_names != test.class_names)
      throw DataError(
          fmt::format("cars196: the classes below {0}/train and {0}/test differ", folder.string()));
    train.items.insert(train.items.end(), test.items.begin(), test.items.end());
    train.root = folder;
    train.layout = "train/CLASS/image, test/CLASS/image";
    return train;
  }

  fs::path root_;
};

const Register<Dataset, Cars196> cars196_dataset{{
    .name = "cars196",
    .summary = "196 models of cars",
    .paper = "Krause et al., 3D Object Representations for Fine-Grained Categorization, 3dRR 2013",
    .details = "Classes 1-98 train (8,054 images), 99-196 test (8,131 images).",
    .aliases = {"cars", "stanford_cars", "cars_196"},
}};

}  // namespace
}  // namespace dml
