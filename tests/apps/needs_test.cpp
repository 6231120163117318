#include <doctest/doctest.h>
#include <fmt/format.h>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// A folder of classes, half of which train. Its pictures are none: a run that opened one would end
/// with another message than that of what the systems need.
void write_classes(const fs::path& root, std::int64_t classes, std::int64_t images) {
  for (std::int64_t c = 0; c < classes; ++c)
    for (std::int64_t i = 0; i < images; ++i) {
      const fs::path file = root / fmt::format("class_{:02}", c) / fmt::format("{}.jpg", i);
      fs::create_directories(file.parent_path());
      dml::write_file_atomically(file, "no picture");
    }
}

/// The run ends with this status, says this, and leaves no folder.
void check_refused(const fs::path& data, int status, const std::string& part,
                   const std::vector<std::string>& more) {
  const TempFolder folder;
  std::vector<std::string> arguments = {"--dataset",    "folder",
                                        "--data-dir",   data.string(),
                                        "--net",        "resnet18",
                                        "--set",        "net.last_layer=layer1",
                                        "--image-size", "32",
                                        "--device",     "cpu",
                                        "-o",           (folder / "run").string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run("dmltrain", arguments);
  INFO(outcome.err);
  CHECK(outcome.status == status);
  CHECK_MESSAGE(outcome.err.find(part) != std::string::npos, part);
  CHECK_FALSE(fs::exists(folder / "run"));
}

}  // namespace

TEST_CASE("needs: what a system lacks is said before the first image is read") {
  const TempFolder root;
  write_classes(root / "single", 24, 1);
  write_classes(root / "pairs", 24, 2);
  write_classes(root / "many", 24, 6);
  const std::vector<std::string> balanced = {"--sampler", "classes_times_images",
                                             "--set",     "sampler.classes=4",
                                             "--set",     "sampler.images=4"};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  // Classes with too few images.
  check_refused(root / "pairs", 2, "needs at least 1 classes of 3 or more images",
                with(balanced, {"--loss", "group", "--set", "loss.anchors=2"}));
  check_refused(root / "pairs", 2, "gives no batch of 6 chunks of 9 images",
                {"--preset", "group-loss/cub200"});
  check_refused(
      root / "single", 2, "of 12 training classes 0 are so large, the largest has 1",
      with(balanced, {"--loss", "lm_metric", "--set", "loss.dim=64", "--eval-every", "0"}));
  // Clusters.
  check_refused(root / "many", 2, "32 clusters of 72 training images",
                {"--preset", "divide-conquer/cub200"});
  check_refused(root / "many", 2, "16 clusters were asked for, the training set has 12 classes",
                {"--preset", "divide-conquer/cub200", "--set", "loss.nb_clusters=16"});
  check_refused(root / "many", 2, "--sampler divide",
                with(balanced, {"--loss", "divide", "--set", "loss.nb_clusters=4"}));
  // Samplers.
  check_refused(root / "many", 2, "needs at least 2 images of each class in a batch",
                {"--loss", "lm_metric", "--set", "loss.dim=64", "--sampler", "shuffle"});
  check_refused(root / "many", 2, "the dataset knows no super-classes",
                {"--preset", "lm-metric/paper/sop", "--set", "loss.dim=64"});
  check_refused(root / "many", 2, "72 images give no whole batch of 128",
                {"--preset", "rcdml/cub200", "--batch-size", "128"});
  // Nothing to search for.
  check_refused(root / "single", 3, "no query has another image of its class in the gallery",
                {"--loss", "rcdml", "--batch-size", "4"});
}

TEST_CASE("needs: a list without queries, or without a gallery, cannot be measured on") {
  for (const auto& [part, missing] : {std::pair{"query", "gallery"}, {"gallery", "query"}}) {
    const TempFolder root;
    std::string list = "6\nimage_name item_id evaluation_status\n";
    for (int i = 0; i < 6; ++i) {
      list += fmt::format("img/{}.jpg id_0000000{} {}\n", i, i / 2, i < 4 ? "train" : part);
      fs::create_directories(root / "img");
      dml::write_file_atomically(root / "img" / fmt::format("{}.jpg", i), "no picture");
    }
    fs::create_directories(root / "Eval");
    dml::write_file_atomically(root / "Eval/list_eval_partition.txt", list);
    check_refused(root.path(), 3, fmt::format("there is no {}", missing),
                  {"--dataset", "inshop", "--preset", "intra-batch/inshop", "--set",
                   "sampler.classes=2", "--set", "sampler.images=2"});
  }
}

TEST_CASE("needs: what is doubtful is told, and the run goes on") {
  const TempFolder root;
  write_classes(root.path(), 8, 6);
  for (int i = 1; i < 6; ++i) fs::remove(root / fmt::format("class_01/{}.jpg", i));
  const Outcome outcome = run("dmltrain", {"--dataset",
                                           "folder",
                                           "--data-dir",
                                           root.path().string(),
                                           "--preset",
                                           "group-loss/cub200",
                                           "--net",
                                           "resnet18",
                                           "--set",
                                           "net.last_layer=layer1",
                                           "--set",
                                           "sampler.classes=2",
                                           "--set",
                                           "sampler.images=4",
                                           "--image-size",
                                           "64",
                                           "--steps",
                                           "3",
                                           "--freeze-net-epochs",
                                           "3",
                                           "--dry-run",
                                           "--device",
                                           "cpu"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK_MESSAGE(
      outcome.err.find("1 of 4 training classes have fewer than the 4 images") != std::string::npos,
      outcome.err);
  CHECK_MESSAGE(
      outcome.err.find("the net rests in the first 3 epochs of 1 steps") != std::string::npos,
      outcome.err);
  CHECK_MESSAGE(outcome.err.find("25 % of the shorter side is seen") != std::string::npos,
                outcome.err);
}

TEST_CASE("dmltrain: a dry run draws no pictures and tries a few images of a large batch") {
  const TempFolder folder;
  const Outcome outcome =
      run("dmltrain", {"--preset", "demo/shapes", "--dry-run", "--data-dir",
                       (folder / "data").string(), "--image-size", "32", "--device", "cpu"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(outcome.out.find("720 training images of 24 classes") != std::string::npos);
  CHECK(outcome.out.find("24 random images of a batch of 48") != std::string::npos);
  CHECK(fs::is_empty(folder.path()));
}
