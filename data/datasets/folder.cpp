#include <fmt/format.h>

#include <cmath>

#include "data/dataset.hpp"
#include "data/datasets/csv.hpp"
#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Own pictures. Three layouts are understood:
///   root/CLASS/image            the first half of the classes (by name) trains, the others test;
///                               also below root/images
///   root/{train,test[,validation]}/CLASS/image
///   root/manifest.csv, or root is a .csv file
class Folder final : public Dataset {
 public:
  struct Options {
    double train_share = 0.5;
    std::int64_t train_classes = 0;
    static constexpr std::tuple fields{
        field("train_share", &Options::train_share,
              "share of the classes, by name, that trains (the number is rounded up)", {0, 1}),
        field("train_classes", &Options::train_classes,
              "the first classes train; 0: as train_share says", {0, 1000000000})};
  };

  Folder(Options options, const Setup& setup) : options_(options), root_(setup.root) {}

  Manifest read() const override {
    if (!fs::exists(root_))
      throw DataError(fmt::format(
          "folder: there is no {}\n  --data-dir names a folder with one sub-folder of images per "
          "class\n  or at once, on pictures that the program draws itself: --dataset shapes",
          root_.string()));
    if (!fs::is_directory(root_)) return read_csv_manifest(root_, options_.train_classes);
    if (fs::exists(root_ / "manifest.csv"))
      return read_csv_manifest(root_ / "manifest.csv", options_.train_classes);
    if (fs::is_directory(root_ / "train") && fs::is_directory(root_ / "test")) return read_splits();
    return read_classes(fs::is_directory(root_ / "images") ? root_ / "images" : root_);
  }

 private:
  /// All images below `folder`, one class per sub-folder; `names` gets the class of each.
  static void append(const fs::path& folder, Split split, Manifest& manifest,
                     std::vector<std::string>& names) {
    for (const fs::path& one : listing::folders(folder)) {
      for (const fs::path& image : listing::images(one)) {
        manifest.items.push_back({.file = image, .split = split});
        names.push_back(one.filename().string());
      }
    }
  }

  Manifest read_splits() const {
    Manifest manifest;
    std::vector<std::string> names;
    append(root_ / "train", Split::train, manifest, names);
    for (const char* validation : {"validation", "val"})
      if (fs::is_directory(root_ / validation))
        append(root_ / validation, Split::validation, manifest, names);
    append(root_ / "test", Split::test, manifest, names);
    for (const Split split : {Split::train, Split::test})
      if (manifest.counts(split).images == 0) fail_empty(root_ / name_of(split));
    number_classes(manifest, names);
    manifest.root = root_;
    manifest.layout = "train/CLASS/image, test/CLASS/image";
    return manifest;
  }

  Manifest read_classes(const fs::path& folder) const {
    Manifest manifest;
    std::vector<std::string> names;
    append(folder, Split::train, manifest, names);
    if (manifest.items.empty()) fail_empty(folder);
    number_classes(manifest, names);
    const auto classes = static_cast<std::int64_t>(manifest.class_names.size());
    const std::int64_t split = train_count(classes);
    for (Item& item : manifest.items)
      if (item.label >= split) item.split = Split::test;
    manifest.root = root_;
    manifest.layout = folder == root_ ? "CLASS/image" : "images/CLASS/image";
    return manifest;
  }

  std::int64_t train_count(std::int64_t classes) const {
    std::int64_t wanted = options_.train_classes;
    if (wanted == 0)
      wanted = static_cast<std::int64_t>(
          std::ceil(options_.train_share * static_cast<double>(classes) - 1e-9));
    if (wanted == 0)
      throw UsageError(fmt::format("train_share {:g} of {} classes leaves none to train",
                                   options_.train_share, classes));
    return listing::train_classes(classes, wanted);
  }

  [[noreturn]] static void fail_empty(const fs::path& folder) {
    const std::size_t direct = listing::images(folder).size();
    const std::string found =
        direct > 0 ? fmt::format("{} images lie in it directly", direct) : "found none";
    throw DataError(
        fmt::format("folder: no images in sub-folders of {}; {}\n  wanted: one sub-folder per "
                    "class, its images "
                    "(jpg, png) inside",
                    folder.string(), found));
  }

  Options options_;
  fs::path root_;
};

const Register<Dataset, Folder> folder_dataset{{
    .name = "folder",
    .summary = "own pictures: one folder per class, or a CSV list",
    .details = "root/CLASS/image: the first half of the classes, by name, trains. "
               "root/train/CLASS/image and root/test/CLASS/image: as they say. root/manifest.csv: "
               "path,label[,split][,query][,gallery][,x,y,width,height].",
    .aliases = {"images", "image_folder", "csv"},
}};

}  // namespace
}  // namespace dml
