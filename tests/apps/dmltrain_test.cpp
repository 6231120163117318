#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::istringstream stream(dml::read_file(file));
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string last_weights(const fs::path& run_folder) {
  return dml::read_file(run_folder / "checkpoints/last.safetensors");
}

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

/// Waits until the run has told of so many steps.
bool reached(Process& process, const fs::path& run_folder, std::size_t lines) {
  using namespace std::chrono_literals;
  for (int i = 0; i < 6000; ++i) {
    if (fs::exists(run_folder / "metrics.jsonl") &&
        lines_of(run_folder / "metrics.jsonl").size() >= lines)
      return true;
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
    REQUIRE(reached(process, out, 4));
    process.signal(SIGINT);
    const Outcome outcome = process.wait();
    CHECK(outcome.status == 130);
    CHECK(outcome.err.find("--resume") != std::string::npos);
  }
  const Outcome outcome = run("dmltrain", tiny_training(out, {"--epochs", "4", "--resume"}));
  REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(last_weights(out) == undisturbed());
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
  CHECK(outcome.err.find(" at step 2 (epoch 1)") != std::string::npos);
  CHECK(outcome.err.find("first NaN: ") != std::string::npos);
  CHECK(outcome.err.find("--clip-grad-norm") != std::string::npos);
  const dml::SafeTensors batch = dml::read_safetensors(out / "nan_step_2.safetensors");
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
