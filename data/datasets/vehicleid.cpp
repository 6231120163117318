#include <fmt/format.h>

#include <algorithm>

#include "data/dataset.hpp"
#include "data/datasets/listing.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// PKU VehicleID with its three test sizes and both protocols: every test image against all others,
/// or one random image of each vehicle as the gallery of all the rest (the data set's paper).
class VehicleId final : public Dataset {
 public:
  struct Options {
    std::string test = "large";
    std::string protocol = "all";
    std::int64_t gallery_seed = 0;
    static constexpr std::tuple fields{
        field("test", &Options::test, "which list tests: 800, 1,600 or 2,400 vehicles",
              "small|medium|large"),
        field("protocol", &Options::protocol,
              "all: every image is searched for among the others; one_gallery: one image of each "
              "vehicle is the gallery, the rest are the queries",
              "all|one_gallery"),
        field("gallery_seed", &Options::gallery_seed,
              "which image of a vehicle one_gallery takes (the paper averages ten draws)",
              {0, 1e15}),
    };
  };

  VehicleId(Options options, const Setup& setup)
      : options_(std::move(options)), root_(setup.root) {}

  Manifest read() const override {
    for (const char* place :
         {"", "VehicleID_V1.0", "vehicle-id/VehicleID_V1.0", "VehicleID", "vehicleid"}) {
      const fs::path folder = *place == 0 ? root_ : root_ / place;
      if (fs::exists(folder / "train_test_split/train_list.txt")) return read_lists(folder);
    }
    throw DataError(fmt::format(
        "vehicleid: no train_test_split/train_list.txt in {0} or {0}/VehicleID_V1.0\n"
        "  the archive is given on request: https://www.pkuml.org/resources/pku-vehicleid.html\n"
        "  or at once, on pictures that the program draws itself: --dataset shapes",
        root_.string()));
  }

  std::optional<Expected> expected() const override {
    const std::int64_t images = options_.test == "small"    ? 6493
                                : options_.test == "medium" ? 13377
                                                            : 19777;
    return Expected{113346, 13164, images, vehicles()};
  }

 private:
  std::int64_t vehicles() const {
    return options_.test == "small" ? 800 : options_.test == "medium" ? 1600 : 2400;
  }

  /// Lines "image vehicle" without an extension.
  static void append(const fs::path& folder, const fs::path& list, Split split,
                     Manifest& manifest) {
    const auto rows = listing::table(list, 2);
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < rows.size(); ++i)
      ids.push_back(listing::integer(rows[i][1], list, i));
    const auto rank = listing::ranks(ids);
    const auto first = static_cast<std::int64_t>(manifest.class_names.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      listing::require_inside(rows[i][0], list);
      manifest.items.push_back({.file = folder / "image" / (rows[i][0] + ".jpg"),
                                .label = first + rank.at(ids[i]),
                                .split = split});
    }
    for (const auto& [id, unused] : rank) manifest.class_names.push_back(std::to_string(id));
  }

  /// Of every test class one image becomes the gallery, the others are queries.
  void choose_gallery(Manifest& manifest) const {
    std::map<std::int64_t, std::vector<Item*>> by_class;
    for (Item& item : manifest.items)
      if (item.split == Split::test) by_class[item.label].push_back(&item);
    const Random random(static_cast<std::uint64_t>(options_.gallery_seed), Purpose::split);
    for (auto& [label, items] : by_class) {
      const std::size_t chosen =
          static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(label), items.size()));
      for (std::size_t i = 0; i < items.size(); ++i) {
        items[i]->gallery = i == chosen;
        items[i]->query = i != chosen;
      }
    }
  }

  Manifest read_lists(const fs::path& folder) const {
    const fs::path lists = folder / "train_test_split";
    Manifest manifest;
    append(folder, lists / "train_list.txt", Split::train, manifest);
    append(folder, lists / fmt::format("test_list_{}.txt", vehicles()), Split::test, manifest);
    if (options_.protocol == "one_gallery") choose_gallery(manifest);
    manifest.root = folder;
    manifest.layout = fmt::format("train_list.txt, test_list_{}.txt", vehicles());
    listing::require_files(manifest, "vehicleid", lists);
    return manifest;
  }

  Options options_;
  fs::path root_;
};

const Register<Dataset, VehicleId> vehicleid_dataset{{
    .name = "vehicleid",
    .summary = "vehicles seen by surveillance cameras; three sizes of test",
    .paper = "Liu et al., Deep Relative Distance Learning: Tell the Difference Between Similar "
             "Vehicles, CVPR 2016",
    .details = "113,346 images of 13,164 vehicles train (the lists as distributed; the paper "
               "counts 110,178 of 13,134); 800, 1,600 or 2,400 others test.",
    .aliases = {"vid", "vehicle_id", "pku_vehicleid"},
}};

}  // namespace
}  // namespace dml
