#include <fmt/format.h>

#include "data/dataset.hpp"
#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Stanford Online Products. Two layouts are understood: the lists Ebay_train.txt and Ebay_test.txt
/// as distributed (also in Info_Files/, with the pictures below images/), and one folder per class
/// below images/, named by the class id, as several published programs arrange it.
class StanfordOnlineProducts final : public Dataset {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };

  StanfordOnlineProducts(Options, const Setup& setup) : root_(setup.root) {}

  Manifest read() const override {
    for (const char* place :
         {"", "Stanford_Online_Products", "sop", "online_products", "Stanford"}) {
      const fs::path folder = *place == 0 ? root_ : root_ / place;
      if (const auto list =
              listing::first_existing(folder, {"Ebay_train.txt", "Info_Files/Ebay_train.txt"}))
        return read_lists(folder, list->parent_path());
      if (!fs::is_directory(folder / "images")) continue;
      const std::size_t found = listing::folders(folder / "images").size();
      if (found > 0)
        return listing::class_folders(folder / "images", "sop",
                                      found == classes ? train_classes : 0);
    }
    throw DataError(fmt::format(
        "sop: no Ebay_train.txt and no folder images in {0} or {0}/Stanford_Online_Products\n"
        "  wget -P {0} ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip\n"
        "  unzip {0}/Stanford_Online_Products.zip -d {0}\n"
        "  or at once, on pictures that the program draws itself: --dataset shapes",
        root_.string()));
  }

  std::optional<Expected> expected() const override {
    return Expected{59551, train_classes, 60502, classes - train_classes};
  }

 private:
  static constexpr std::int64_t classes = 22634;
  static constexpr std::int64_t train_classes = 11318;

  struct Entry {
    std::int64_t class_id;
    std::string path;
  };

  /// image_id class_id super_class_id path, below a line of headings.
  static std::vector<Entry> read_list(const fs::path& list) {
    const auto rows = listing::table(list, 4);
    std::vector<Entry> entries;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      listing::require_inside(rows[i][3], list);
      entries.push_back({listing::integer(rows[i][1], list, i), rows[i][3]});
    }
    if (entries.empty()) throw FormatError(list.string() + ": names no image");
    return entries;
  }

  static Manifest read_lists(const fs::path& folder, const fs::path& lists) {
    Manifest manifest;
    for (const Split split : {Split::train, Split::test}) {
      const fs::path list = lists / fmt::format("Ebay_{}.txt", name_of(split));
      const std::vector<Entry> entries = read_list(list);
      const fs::path images =
          fs::exists(folder / entries.front().path) ? folder : folder / "images";
      std::vector<std::int64_t> ids;
      for (const Entry& entry : entries) ids.push_back(entry.class_id);
      const auto rank = listing::ranks(ids);
      const auto first = static_cast<std::int64_t>(manifest.class_names.size());
      for (const Entry& entry : entries)
        manifest.items.push_back({.file = images / entry.path,
                                  .label = first + rank.at(entry.class_id),
                                  .split = split});
      for (const auto& [id, unused] : rank) manifest.class_names.push_back(std::to_string(id));
    }
    manifest.root = folder;
    manifest.layout = "Ebay_train.txt, Ebay_test.txt";
    listing::require_files(manifest, "sop", lists / "Ebay_*.txt");
    return manifest;
  }

  fs::path root_;
};

const Register<Dataset, StanfordOnlineProducts> sop_dataset{{
    .name = "sop",
    .summary = "22,634 products of an online shop, few pictures of each",
    .paper = "Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, "
             "CVPR 2016",
    .details = "Classes 1-11318 train (59,551 images), 11319-22634 test (60,502 images).",
    .aliases = {"stanford_online_products", "online_products"},
}};

}  // namespace
}  // namespace dml
