#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"
#include "tests/text.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

using dml::testing::contains;

/// A copy of the pictures of which one for training is no picture and one for testing is cut off.
struct Spoilt {
  TempFolder folder;
  fs::path no_picture, cut_off;
  Spoilt() {
    // Draws them, where no test did so before.
    REQUIRE(run("dmldata", {"stats", "shapes", picture_folder().string(), "--set",
                            "dataset.classes=8", "--set", "dataset.images=8"})
                .status == 0);
    fs::copy(picture_folder(), folder / "data", fs::copy_options::recursive);
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "data"))
      if (entry.path().extension() == ".jpg") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    no_picture = files.front();
    cut_off = files.back();
    dml::write_file_atomically(no_picture, "no picture");
    fs::resize_file(cut_off, 300);
  }
};

}  // namespace

TEST_CASE("bad images: a run fails at the first, or leaves them out, names and counts them") {
  const Spoilt data;
  const fs::path out = data.folder / "run";
  const std::vector<std::string> place = {"--data-dir", (data.folder / "data").string()};
  const auto arguments = [&](std::vector<std::string> more) {
    more.insert(more.end(), place.begin(), place.end());
    return tiny_training(out, more);
  };
  const Outcome fails = run("dmltrain", arguments({}));
  CHECK(fails.status == 3);
  CHECK((contains(fails.err, data.no_picture.string()) ||
         contains(fails.err, data.cut_off.string())));

  const Outcome skips = run("dmltrain", arguments({"--on-bad-image", "skip", "--overwrite"}));
  REQUIRE_MESSAGE(skips.status == 0, skips.err);
  for (const std::string& text :
       {skips.err, dml::read_file(out / "log.txt"), dml::read_file(out / "metrics.jsonl")}) {
    CHECK(contains(text, data.no_picture.string()));
    CHECK(contains(text, data.cut_off.string()));
    CHECK(contains(text, "2 of 64 images cannot be read and are left out"));
  }
  const auto environment = nlohmann::json::parse(dml::read_file(out / "environment.json"));
  CHECK(environment["dataset"]["left_out"] == 2);
  CHECK(lines_of(out / "eval/labels.csv").size() == 32);  // 31 of 32 test images

  std::vector<std::string> measure = {out.string(), "--json", "--metrics", "recall@1"};
  const Outcome stops = run("dmleval", measure);
  CHECK(stops.status == 3);
  CHECK(contains(stops.err, data.cut_off.string()));
  measure.insert(measure.end(), {"--on-bad-image", "skip"});
  const Outcome goes_on = run("dmleval", measure);
  REQUIRE_MESSAGE(goes_on.status == 0, goes_on.err);
  CHECK(contains(goes_on.err, data.cut_off.string()));
  CHECK(contains(goes_on.err, "1 of 32 images cannot be read and are left out"));
  const auto result = nlohmann::json::parse(goes_on.out);
  CHECK(result["left_out"] == 1);
  CHECK(result["images"] == 31);
}
