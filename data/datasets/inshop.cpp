#include <fmt/format.h>

#include "data/dataset.hpp"
#include "data/datasets/listing.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// DeepFashion In-Shop Clothes Retrieval: one list names the part of every picture; pictures of the
/// part `query` are searched for among those of the part `gallery`.
class InShop final : public Dataset {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };

  InShop(Options, const Setup& setup) : root_(setup.root) {}

  Manifest read() const override {
    for (const char* place : {"", "In_shop", "in-shop", "inshop", "Inshop_Clothes",
                              "In-shop Clothes Retrieval Benchmark"}) {
      const fs::path folder = *place == 0 ? root_ : root_ / place;
      if (const auto list = listing::first_existing(
              folder, {"Eval/list_eval_partition.txt", "list_eval_partition.txt"}))
        return read_list(folder, *list);
    }
    throw DataError(fmt::format(
        "inshop: no Eval/list_eval_partition.txt in {}\n"
        "  the archive In-shop Clothes Retrieval of DeepFashion (with img/) is given on request:\n"
        "  https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html\n"
        "  or at once, on pictures that the program draws itself: --dataset shapes",
        root_.string()));
  }

  std::optional<Expected> expected() const override {
    return Expected{25882, 3997, 14218 + 12612, 3985};
  }

 private:
  struct Entry {
    std::string path;
    std::int64_t id;
    std::string part;
  };

  /// The number behind the last underscore of `id_00000002`.
  static std::int64_t item_id(const std::string& text, const fs::path& list, std::size_t row) {
    return listing::integer(text.substr(text.rfind('_') + 1), list, row);
  }

  /// Line 1: the number of images; line 2: headings; then name, item, part.
  static std::vector<Entry> entries_of(const fs::path& list) {
    const auto rows = listing::table(list);
    if (rows.size() < 3) throw FormatError(list.string() + ": names no image");
    const std::int64_t stated = listing::integer(rows[0][0], list, 0);
    std::vector<Entry> entries;
    for (std::size_t i = 2; i < rows.size(); ++i) {
      if (rows[i].size() < 3)
        throw FormatError(fmt::format("{}: entry {}: wanted name, item and part; found {} words",
                                      list.string(), i + 1, rows[i].size()));
      const std::string& part = rows[i][2];
      if (part != "train" && part != "query" && part != "gallery")
        throw FormatError(fmt::format("{}: entry {}: '{}' is none of train, query, gallery",
                                      list.string(), i + 1, part));
      listing::require_inside(rows[i][0], list);
      entries.push_back({rows[i][0], item_id(rows[i][1], list, i), part});
    }
    if (stated != static_cast<std::int64_t>(entries.size()))
      throw FormatError(fmt::format("{}: its first line says {} images, {} are listed",
                                    list.string(), stated, entries.size()));
    return entries;
  }

  /// Where the names of the list begin: programs differ in whether Img/ stands before them.
  static fs::path image_root(const fs::path& folder, const std::string& first) {
    for (const char* place : {"", "Img", "Anno", "images"})
      if (fs::exists(folder / place / first)) return folder / place;
    return folder;
  }

  static Manifest read_list(const fs::path& folder, const fs::path& list) {
    const std::vector<Entry> entries = entries_of(list);
    std::vector<std::int64_t> train_ids, test_ids;
    for (const Entry& entry : entries)
      (entry.part == "train" ? train_ids : test_ids).push_back(entry.id);
    const auto train = listing::ranks(train_ids), test = listing::ranks(test_ids);
    const fs::path images = image_root(folder, entries.front().path);
    Manifest manifest;
    for (const Entry& entry : entries) {
      const bool trains = entry.part == "train";
      const std::int64_t label =
          trains ? train.at(entry.id) : static_cast<std::int64_t>(train.size()) + test.at(entry.id);
      manifest.items.push_back({.file = images / entry.path,
                                .label = label,
                                .split = trains ? Split::train : Split::test,
                                .query = entry.part == "query",
                                .gallery = entry.part == "gallery"});
    }
    for (const auto* part : {&train, &test})
      for (const auto& [id, unused] : *part)
        manifest.class_names.push_back(fmt::format("id_{:08}", id));
    manifest.root = folder;
    manifest.layout = list.filename().string();
    listing::require_files(manifest, "inshop", list);
    return manifest;
  }

  fs::path root_;
};

const Register<Dataset, InShop> inshop_dataset{{
    .name = "inshop",
    .summary = "7,982 garments of an online shop; queries are searched for in a gallery",
    .paper = "Liu et al., DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich "
             "Annotations, CVPR 2016",
    .details = "25,882 images of 3,997 garments train; 14,218 queries and 12,612 images of the "
               "gallery show 3,985 others.",
    .aliases = {"in_shop", "in-shop", "deepfashion_inshop"},
}};

}  // namespace
}  // namespace dml
