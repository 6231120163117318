#include <fmt/format.h>

#include <array>

#include "data/dataset.hpp"
#include "data/datasets/cub_layout.hpp"
#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Caltech-UCSD Birds 200-2011 (Wah et al., 2011) with the split of deep metric learning: classes
/// 1-100 train, classes 101-200 test. Any folder in that layout can be read; of other numbers of
/// classes the first half trains, rounded up.
class Cub200 final : public Dataset {
 public:
  struct Options {
    std::int64_t train_classes = 0;
    static constexpr std::tuple fields{
        field("train_classes", &Options::train_classes,
              "the first classes train; 0: the first half, rounded up", {0, 1000000})};
  };

  Cub200(Options options, const Setup& setup) : options_(options), root_(setup.root) {}

  Manifest read() const override {
    if (const std::optional<fs::path> folder = find())
      return read_cub_layout(*folder, options_.train_classes, "cub200");
    // Several published programs read the pictures alone, one folder per class.
    for (const char* place : places)
      if (const fs::path images = root_ / place / "images";
          fs::is_directory(images) && !listing::folders(images).empty())
        return listing::class_folders(images, "cub200", options_.train_classes);
    refuse_absent();
  }

  std::optional<Expected> expected() const override {
    if (options_.train_classes != 0 && options_.train_classes != 100) return std::nullopt;
    const std::optional<fs::path> folder = find();  // other data in this layout have other counts
    if (folder && read_cub_layout(*folder, 0, "cub200").class_names.size() != 200)
      return std::nullopt;
    return Expected{5864, 100, 5924, 100};
  }

 private:
  static constexpr std::array places{
      "", "CUB_200_2011", "CUB_200_2011/CUB_200_2011", "cub-200-2011", "cub200", "cub"};

  /// The dataset's folder: root itself or a known place below it; none when it is not there.
  std::optional<fs::path> find() const {
    for (const char* place : places) {
      const fs::path folder = *place == 0 ? root_ : root_ / place;
      if (fs::exists(folder / "images.txt")) return folder;
    }
    return std::nullopt;
  }

  [[noreturn]] void refuse_absent() const {
    throw DataError(fmt::format(
        "cub200: no images.txt in {0} or {0}/CUB_200_2011\n"
        "  wget -P {0} https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz\n"
        "  tar xzf {0}/CUB_200_2011.tgz -C {0}\n"
        "  or at once, on pictures that the program draws itself: --dataset shapes",
        root_.string()));
  }

  Options options_;
  fs::path root_;
};

const Register<Dataset, Cub200> cub200_dataset{{
    .name = "cub200",
    .summary = "200 species of birds; any folder in CUB's layout",
    .paper = "Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, 2011",
    .details =
        "Classes 1-100 train (5,864 images), 101-200 test (5,924 images). Of other numbers of "
        "classes the first half trains, rounded up, or `train_classes`.",
    .aliases = {"cub", "cub_200_2011"},
}};

}  // namespace
}  // namespace dml
