#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

TEST_CASE("dmleval: a run is measured as it was at its best epoch, and by name of the protocol") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome training = run("dmltrain", tiny_training(out, {"--json"}));
  REQUIRE_MESSAGE(training.status == 0, training.err);
  const auto trained = nlohmann::json::parse(training.out);
  const Outcome outcome = run("dmleval", {out.string(), "--metrics", "recall@1,recall@2,nmi",
                                          "--json", "--threads", "1", "--device", "cpu"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  CHECK(result["metrics"]["recall@1"] == trained["best"]["metrics"]["recall@1"]);
  CHECK(result["metrics"]["recall@2"] == trained["best"]["metrics"]["recall@2"]);
  CHECK(result["protocol"]["distance"].get<std::string>().find("cosine") != std::string::npos);
  CHECK(result["images"] == 32);
  CHECK(result["split"] == "test");

  const std::string checkpoint = (out / "checkpoints/last.safetensors").string();
  const Outcome stage =
      run("dmleval", {checkpoint, "--dataset", "shapes", "--set", "dataset.classes=8", "--set",
                      "dataset.images=8", "--data-dir", picture_folder().string(), "--features",
                      "layer1", "--json", "--split", "train"});
  REQUIRE_MESSAGE(stage.status == 0, stage.err);
  CHECK(nlohmann::json::parse(stage.out)["size"] == 64);

  const Outcome required = run("dmleval", {out.string(), "--require", "recall@1=1"});
  CHECK(required.status == (result["metrics"]["recall@1"] == 1.0 ? 0 : 5));
  CHECK(run("dmleval", {out.string(), "--require", "recall@1=0.01"}).status == 0);
  CHECK(run("dmleval", {out.string(), "--features", "layer9"}).status == 2);
  const Outcome nothing = run("dmleval", {(folder / "none").string()});
  CHECK(nothing.status == 3);
  CHECK(nothing.err.find("there is no such run folder or weights file") != std::string::npos);
}

TEST_CASE("dmleval: queries and gallery are rows or pictures of the user's choice") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(run("dmltrain", tiny_training(out, {"--epochs", "1"})).status == 0);
  std::string numbers, paths, gallery;
  const auto labels = lines_of(out / "eval/labels.csv");
  for (int i = 0; i < 32; ++i) {
    const std::string& line = labels[static_cast<std::size_t>(i) + 1];
    const std::size_t begin = line.find("images/");
    if (i % 8 == 0) numbers += std::to_string(i) + "\n";
    if (i % 8 == 0) paths += line.substr(begin, line.find('"', begin) - begin) + "\n";
    if (i % 8 > 3) gallery += std::to_string(i) + "\n";
  }
  dml::write_file_atomically(folder / "numbers", numbers);
  dml::write_file_atomically(folder / "paths", paths);
  dml::write_file_atomically(folder / "gallery", gallery);
  const auto measured = [&](const std::string& queries) {
    const Outcome outcome =
        run("dmleval", {out.string(), "--queries", (folder / queries).string(), "--gallery",
                        (folder / "gallery").string(), "--metrics", "recall@1,map@r", "--json"});
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return nlohmann::json::parse(outcome.out);
  };
  const auto by_number = measured("numbers");
  CHECK(by_number["protocol"]["queries"] == "4");
  CHECK(by_number["protocol"]["gallery"] == "16");
  CHECK(by_number["protocol"]["queries_without_positive"] == "0");
  CHECK(by_number == measured("paths"));
  dml::write_file_atomically(folder / "high", "3\n32\n");
  dml::write_file_atomically(folder / "word", "3\nbird\n");
  const Outcome high = run("dmleval", {out.string(), "--queries", (folder / "high").string()});
  CHECK(high.status == 3);
  CHECK(high.err.find("there is no row 32; there are 32, from 0") != std::string::npos);
  const Outcome word = run("dmleval", {out.string(), "--queries", (folder / "word").string()});
  CHECK(word.status == 3);
  CHECK(word.err.find("word:2: 'bird' is not a row number") != std::string::npos);
}

TEST_CASE("dmleval: embeddings from a file need no net") {
  const TempFolder folder;
  dml::write_npy(folder / "x.npy",
                 dml::Tensor::of<float>({4, 2}, {1.F, 0.F, 1.F, 0.1F, 0.F, 1.F, 0.1F, 1.F}));
  dml::write_npy(folder / "y.npy", dml::Tensor::of<std::int64_t>({4}, {0, 0, 1, 0}));
  const std::string x = (folder / "x.npy").string(), y = (folder / "y.npy").string();
  const Outcome outcome =
      run("dmleval", {"--embeddings", x, "--labels", y, "--metrics", "recall@1,recall@2", "--json",
                      "--distance", "euclidean"});
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  CHECK(result["metrics"]["recall@1"] == 0.5);
  CHECK(result["metrics"]["recall@2"] == 0.75);

  CHECK(run("dmleval", {"--embeddings", x, "--labels", y, "--require", "recall@1=0.6"}).status ==
        5);
  CHECK(run("dmleval", {"--embeddings", x}).status == 2);
  CHECK(run("dmleval", {}).status == 2);
  CHECK(run("dmleval", {"--embeddings", "none.npy", "--labels", y}).status == 3);
  dml::write_file_atomically(folder / "z.txt", "0\n0\nbird\n1\n");
  const Outcome labels =
      run("dmleval", {"--embeddings", x, "--labels", (folder / "z.txt").string()});
  CHECK(labels.status == 3);
  CHECK(labels.err.find("z.txt:3: 'bird' is not a whole number") != std::string::npos);
}
