#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// The bytes of the last checkpoint of a run that nothing disturbed: four epochs of four steps.
const std::string& undisturbed() {
  static const std::string bytes = [] {
    const TempFolder folder;
    const Outcome outcome = run("dmltrain", tiny_training(folder / "run", {"--epochs", "4"}));
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return last_weights(folder / "run");
  }();
  return bytes;
}

/// Waits until the run has written so many lines with that text to metrics.jsonl.
bool reached(Process& process, const fs::path& run_folder, std::int64_t lines,
             const std::string& text = "") {
  using namespace std::chrono_literals;
  for (int i = 0; i < 6000; ++i) {
    const std::vector<std::string> all = lines_of(run_folder / "metrics.jsonl");
    const auto found = std::count_if(all.begin(), all.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
    if (found >= lines) return true;
    if (process.ended()) return false;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

}  // namespace

TEST_CASE("dmltrain: a run leaves configuration, records, checkpoints and figures") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run("dmltrain", tiny_training(out, {"--json", "--keep", "1"}));
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  CHECK(result["best"]["metrics"]["recall@1"].get<double>() > 0);
  CHECK(result["best"]["split"] == "test");
  CHECK_FALSE(has_control_characters(outcome.err));
  CHECK(outcome.err.find("epoch 2/2  loss ") != std::string::npos);

  const auto rows = lines_of(out / "epochs.csv");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == "epoch,step,loss,lr,images,split,recall@1,recall@2");
  CHECK(rows[2].rfind("2,8,", 0) == 0);
  std::size_t steps = 0;
  for (const std::string& line : lines_of(out / "metrics.jsonl"))
    steps += nlohmann::json::parse(line).at("event") == "step" ? 1 : 0;
  CHECK(steps == 8);
  const auto environment = nlohmann::json::parse(dml::read_file(out / "environment.json"));
  CHECK(environment["libraries"].contains("oneDNN"));
  CHECK(environment["dataset"]["fingerprint"].get<std::string>().size() == 64);
  for (const char* name :
       {"checkpoints/last.state", "checkpoints/best.safetensors", "checkpoints/best.state",
        "checkpoints/epoch-0002.safetensors", "config.toml", "log.txt", "eval/test.json"})
    CHECK_MESSAGE(fs::exists(out / name), name);
  CHECK_FALSE(fs::exists(out / "checkpoints/epoch-0001.safetensors"));

  const dml::SafeTensors file = dml::read_safetensors(out / "checkpoints/last.safetensors");
  CHECK(file.text("net") == "resnet18");
  CHECK(file.text("loss") == "group");
  CHECK(file.text("epoch") == "2");
  CHECK(file.text("embedding_dim") == "128");
  CHECK(file.find("conv1.weight")->shape() == dml::Shape{64, 3, 7, 7});
  CHECK(nlohmann::json::parse(file.text("preprocessing")).contains("mean"));
  for (const char* key : {"dml.format", "net.options", "loss.options", "metrics", "dataset",
                          "fingerprint", "source", "program"})
    CHECK_MESSAGE(!file.text(key).empty(), key);

  for (const char* key : {"program", "libraries", "device", "host", "started", "seed", "weights"})
    CHECK_MESSAGE(environment.contains(key), key);
  CHECK(environment["dataset"]["fingerprint"] == file.text("fingerprint"));
  CHECK(environment["program"].contains("source"));
}

TEST_CASE("dmltrain: eval/ holds the best epoch on the test images, and by what rules") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome outcome =
      run("dmltrain", tiny_training(out, {"--json", "--protocol", "honest", "--validation-classes",
                                          "0.5", "--metrics", "recall@1,nmi"}));
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const auto result = nlohmann::json::parse(outcome.out);
  const auto test = nlohmann::json::parse(dml::read_file(out / "eval/test.json"));
  CHECK(test["metrics"] == result["test"]["metrics"]);
  CHECK(test["epoch"] == result["best"]["epoch"]);
  CHECK(test["epoch_chosen_by"].get<std::string>().find("honest") != std::string::npos);
  for (const char* rule : {"distance", "normalisation", "self", "ties", "kmeans_restarts",
                           "kmeans_seed", "queries_without_positive"})
    CHECK_MESSAGE(test["protocol"].contains(rule), rule);
  CHECK(dml::read_npy(out / "eval/embeddings.npy").shape() == dml::Shape{32, 128});
  CHECK(dml::read_npy(out / "eval/neighbours.npy").shape() == dml::Shape{32, 10});
  const auto labels = lines_of(out / "eval/labels.csv");
  REQUIRE(labels.size() == 33);
  CHECK(labels[0] == "row,path,label,query,gallery");
  CHECK(labels[1].rfind("0,\"", 0) == 0);
  // The files are what they say: measured again, they give the same figures.
  std::string classes;
  for (std::size_t i = 1; i < labels.size(); ++i) {
    const std::size_t begin = labels[i].rfind('"') + 2;
    classes += labels[i].substr(begin, labels[i].find(',', begin) - begin) + "\n";
  }
  dml::write_file_atomically(folder / "labels.txt", classes);
  const Outcome again =
      run("dmleval", {"--embeddings", (out / "eval/embeddings.npy").string(), "--labels",
                      (folder / "labels.txt").string(), "--metrics", "recall@1", "--json"});
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(nlohmann::json::parse(again.out)["metrics"]["recall@1"] == test["metrics"]["recall@1"]);
}

TEST_CASE("dmltrain: config.toml of a run repeats it to the bit") {
  const TempFolder folder;
  REQUIRE(run("dmltrain", tiny_training(folder / "a")).status == 0);
  const Outcome again = run("dmltrain", {"-c", (folder / "a/config.toml").string(), "--threads",
                                         "1", "--device", "cpu", "-o", (folder / "b").string()});
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(last_weights(folder / "a") == last_weights(folder / "b"));
  CHECK(dml::read_file(folder / "a/config.toml") == dml::read_file(folder / "b/config.toml"));
}

TEST_CASE("dmltrain: the number of workers changes nothing") {
  for (const char* workers : {"0", "3"}) {
    const TempFolder folder;
    const Outcome outcome =
        run("dmltrain", tiny_training(folder / "run", {"--epochs", "4", "-j", workers}));
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(last_weights(folder / "run") == undisturbed());
  }
}

TEST_CASE("dmltrain: killed at any step, a run goes on to the same bytes") {
  for (const std::size_t lines : {3, 8, 13}) {
    const TempFolder folder;
    const fs::path out = folder / "run";
    {
      Process process("dmltrain", tiny_training(out, {"--epochs", "4", "--checkpoint-every", "1"}));
      REQUIRE(reached(process, out, lines));
      process.signal(SIGKILL);
      process.wait();
    }
    const Outcome outcome =
        run("dmltrain", {"--resume", "-o", out.string(), "--threads", "1", "--device", "cpu"});
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(last_weights(out) == undisturbed());
    CHECK(lines_of(out / "epochs.csv").size() == 5);
    for (const std::string& line : lines_of(out / "metrics.jsonl"))
      CHECK_FALSE(nlohmann::json::parse(line, nullptr, false).is_discarded());
  }
}

TEST_CASE("dmltrain: Ctrl-C writes a checkpoint, ends with 130, and the run goes on") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  {
    Process process("dmltrain", tiny_training(out, {"--epochs", "4"}));
    REQUIRE(reached(process, out, 3, R"("event":"step")"));
    process.signal(SIGINT);
    const Outcome outcome = process.wait();
    CHECK(outcome.status == 130);
    CHECK(outcome.err.find("--resume") != std::string::npos);
  }
  const Outcome outcome = run("dmltrain", tiny_training(out, {"--epochs", "4", "--resume"}));
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(last_weights(out) == undisturbed());
}

TEST_CASE("dmltrain: Ctrl-C in an evaluation or while images are checked ends with 130 as well") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const auto arguments = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--epochs", "4", "--eval-batch-size", "1"});
    return tiny_training(out, more);
  };
  {
    // The last step of the first epoch is told before its evaluation begins.
    Process process("dmltrain", arguments({}));
    REQUIRE(reached(process, out, 4, R"("event":"step")"));
    process.signal(SIGINT);
    CHECK(process.wait().status == 130);
  }
  CHECK(dml::read_safetensors(out / "checkpoints/last.safetensors").text("step") == "4");
  const Outcome outcome = run("dmltrain", arguments({"--resume"}));
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(last_weights(out) == undisturbed());
  {
    Process process("dmltrain", arguments({"--overwrite", "--on-bad-image", "skip"}));
    process.signal(SIGINT);
    CHECK(process.wait().status == 130);
  }
  {
    Process process("dmleval", {out.string(), "--batch-size", "1"});
    process.signal(SIGINT);
    CHECK(process.wait().status == 130);
  }
}

TEST_CASE("dmltrain: a run is neither overwritten nor changed by accident") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(run("dmltrain", tiny_training(out, {"--epochs", "1"})).status == 0);
  const Outcome again = run("dmltrain", tiny_training(out, {"--epochs", "1"}));
  CHECK(again.status == 2);
  CHECK(again.err.find("holds a run already") != std::string::npos);
  const Outcome other = run("dmltrain", {"--resume", "-o", out.string(), "--lr", "0.5"});
  CHECK(other.status == 2);
  CHECK(other.err.find("optimizer.lr is 0.001 there, --lr 0.5 says 0.5") != std::string::npos);
  CHECK(run("dmltrain", tiny_training(out, {"--epochs", "1", "--overwrite"})).status == 0);
  const Outcome none = run("dmltrain", {"--resume", "-o", (folder / "none").string()});
  CHECK(none.status == 2);
  CHECK(none.err.find("holds no run") != std::string::npos);
}

TEST_CASE("dmltrain: a rate that is too high ends with the name of the place and the batch") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  const Outcome outcome = run("dmltrain", tiny_training(out, {"--lr", "1e6"}));
  CHECK(outcome.status == 1);
  std::smatch at;  // after how many steps the numbers are too large is rounding's matter
  REQUIRE(std::regex_search(outcome.err, at, std::regex(" at step (\\d+) \\(epoch \\d+\\)")));
  CHECK(outcome.err.find("first NaN: ") != std::string::npos);
  CHECK(outcome.err.find("--clip-grad-norm") != std::string::npos);
  const dml::SafeTensors batch =
      dml::read_safetensors(out / ("nan_step_" + at[1].str() + ".safetensors"));
  CHECK(batch.at("images").shape() == dml::Shape{8, 32, 32, 3});
  CHECK(batch.at("labels").size() == 8);
}

/// `classes` classes of three pictures in the layout of CUB-200-2011.
fs::path cub_layout(const fs::path& root, int classes) {
  fs::path picture;
  for (const auto& entry : fs::recursive_directory_iterator(picture_folder()))
    if (entry.path().extension() == ".jpg") picture = entry.path();
  std::string images, labels, names;
  fs::create_directories(root / "images");
  for (int i = 0; i < 3 * classes; ++i) {
    const std::string name = std::to_string(i + 1), label = std::to_string(i / 3 + 1);
    fs::copy_file(picture, root / "images" / (name + ".jpg"));
    images += name + " " + name + ".jpg\n";
    labels += name + " " + label + "\n";
    if (i % 3 == 0) names += label + " c" + label + "\n";
  }
  dml::write_file_atomically(root / "images.txt", images);
  dml::write_file_atomically(root / "image_class_labels.txt", labels);
  dml::write_file_atomically(root / "classes.txt", names);
  return root;
}

TEST_CASE("dmltrain: published figures stand beside results on the published classes alone") {
  const TempFolder folder;
  const auto shows_figures = [&](const std::vector<std::string>& data) {
    std::vector<std::string> arguments = {"--preset",     "group-loss/cub200",
                                          "--net",        "resnet18",
                                          "--set",        "net.last_layer=layer1",
                                          "--set",        "loss.anchors=1",
                                          "--set",        "sampler.classes=2",
                                          "--set",        "sampler.images=3",
                                          "--steps",      "1",
                                          "--image-size", "32",
                                          "--metrics",    "recall@1",
                                          "--json",       "--overwrite",
                                          "-o",           (folder / "run").string()};
    arguments.insert(arguments.end(), data.begin(), data.end());
    const Outcome outcome = run("dmltrain", arguments);
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return nlohmann::json::parse(outcome.out).contains("published");
  };
  // First, because it renders the pictures that the others copy.
  CHECK_FALSE(shows_figures({"--dataset", "shapes", "--set", "dataset.classes=8", "--set",
                             "dataset.images=8", "--data-dir", picture_folder().string()}));
  CHECK(shows_figures({"--data-dir", cub_layout(folder / "whole", 200).string()}));
  CHECK_FALSE(shows_figures({"--data-dir", cub_layout(folder / "other", 20).string(), "--set",
                             "dataset.train_classes=10"}));
}
