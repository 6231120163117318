#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/device.hpp"
#include "engine/file.hpp"
#include "engine/npy.hpp"
#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// The tool ends with this status, and says this.
void check_message(const std::string& tool, const std::vector<std::string>& arguments, int status,
                   const std::vector<std::string>& parts) {
  const Outcome outcome = run(tool, arguments);
  INFO(outcome.err);
  CHECK(outcome.status == status);
  for (const std::string& part : parts)
    CHECK_MESSAGE(outcome.err.find(part) != std::string::npos, part);
  CHECK_FALSE(has_control_characters(outcome.err));
}

}  // namespace

TEST_CASE("messages: unknown names come with the nearest known one") {
  check_message(
      "dmltrain", {"--loss", "groupp", "--net", "resnet18"}, 2,
      {"dmltrain: no loss named 'groupp'; did you mean 'group'?  (dmltrain --list losses)"});
  check_message("dmltrain", {"--loss", "group", "--net", "resnet81"}, 2,
                {"no net named 'resnet81'; did you mean 'resnet18'?"});
  check_message("dmltrain", {"--los", "group"}, 2, {"no flag named '--los'", "'--loss'"});
  check_message("dmltrain", {"--net", "resnet18", "--loss", "group", "--set", "loss.temprature=3"},
                2, {"loss 'group' has no option 'temprature'; did you mean 'temperature'?"});
  check_message("dmltrain", {"--preset", "group-loss/cub"}, 2,
                {"did you mean 'group-loss/cub200'?"});
  check_message("dmltrain", {"--help", "loss=groupp"}, 2, {"did you mean 'group'?"});
  check_message("dmltrain", {"--net", "resnet18", "--loss", "group", "--metrics", "recal@1"}, 2,
                {"no metric named"});
}

TEST_CASE("messages: values out of range and batches that the loss cannot use") {
  const TempFolder folder;
  check_message("dmltrain", tiny_training(folder / "run", {"--lr", "-1"}), 2,
                {"optimizer.lr: -1 is out of range"});
  check_message(
      "dmltrain", tiny_training(folder / "run", {"--images-per-class", "1", "--batch-size", "4"}),
      2,
      {"loss 'group' needs at least 2 images per class in a batch; --images-per-class is 1",
       "--preset group-loss/cub200"});
  check_message("dmltrain", tiny_training(folder / "run", {"--batch-size", "7"}), 2,
                {"batch_size: 7 is no multiple of images_per_class (4)"});
  dml::write_file_atomically(folder / "bad.toml",
                             "net = \"resnet18\"\nloss = \"group\"\nepoch = 3\n");
  check_message("dmltrain", {"-c", (folder / "bad.toml").string()}, 2,
                {"bad.toml:3:1: no setting named 'epoch'; did you mean 'epochs'?"});
  dml::write_file_atomically(folder / "torn.toml", "net = \n");
  check_message("dmltrain", {"-c", (folder / "torn.toml").string()}, 3, {"torn.toml:1:"});
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("messages: data that are not there, and the way to a first try") {
  const TempFolder folder;
  check_message("dmltrain",
                {"--net", "bninception", "--loss", "group", "--data-dir", folder.path().string()},
                3, {"cub200", "--dataset shapes"});
}

TEST_CASE("messages: weights of another net or shape are listed") {
  const TempFolder folder;
  dml::SafeTensors file;
  file.tensors = {{"conv1.weight", dml::Tensor({64, 3, 3, 3}, dml::DType::f32)},
                  {"fc.weight", dml::Tensor({1000, 512}, dml::DType::f32)}};
  dml::write_safetensors(folder / "shape.safetensors", file);
  check_message(
      "dmltrain",
      tiny_training(folder / "run", {"--weights", (folder / "shape.safetensors").string()}), 3,
      {"1 of 2 tensors do not fit net 'resnet18'",
       "conv1.weight  file [64, 3, 3, 3], net [64, 3, 7, 7]"});
  file.metadata["net"] = "resnet50";
  dml::write_safetensors(folder / "net.safetensors", file);
  check_message("dmltrain",
                tiny_training(folder / "run", {"--weights", (folder / "net.safetensors").string()}),
                3, {"holds weights of net 'resnet50'"});
  check_message("dmltrain", tiny_training(folder / "run", {"--weights", "none.safetensors"}), 3,
                {"none.safetensors"});
}

TEST_CASE("messages: a device that is not there") {
  const Outcome info = run("dmlinfo", {"--json"});
  REQUIRE(info.status == 0);
  if (nlohmann::json::parse(info.out)["backends"]["cuda"]["present"].get<bool>()) return;
  const TempFolder folder;
  check_message("dmltrain", tiny_training(folder / "run", {"--device", "cuda"}), 4, {"cuda"});
}

TEST_CASE("messages: what the pictures of a checkpoint looked like, and how they are used") {
  const TempFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(run("dmltrain", tiny_training(out, {"--epochs", "1"})).status == 0);
  const std::vector<std::string> data = {"--dataset",  "shapes",
                                         "--data-dir", picture_folder().string(),
                                         "--set",      "dataset.classes=8",
                                         "--set",      "dataset.images=8",
                                         "--metrics",  "recall@1"};
  dml::SafeTensors file = dml::read_safetensors(out / "checkpoints/last.safetensors");
  file.metadata["preprocessing"] =
      R"({"mean":[104,117,128],"order":"bgr","scale":1,"std":[1,1,1]})";
  dml::write_safetensors(folder / "bgr.safetensors", file);
  std::vector<std::string> arguments = {(folder / "bgr.safetensors").string()};
  arguments.insert(arguments.end(), data.begin(), data.end());
  check_message("dmleval", arguments, 0,
                {"dmleval: checkpoint was trained with BGR input, mean 104,117,128; using that\n"});
}

TEST_CASE("messages: a dataset of which a file is missing") {
  const TempFolder folder;
  fs::create_directories(folder / "cars_train");
  fs::create_directories(folder / "cars_test");
  fs::create_directories(folder / "devkit");
  check_message("dmldata", {"verify", "cars196", folder.path().string()}, 3,
                {"dmldata: cars196: "});
}

TEST_CASE("dmltrain: every list and topic can be had, and as JSON") {
  for (const char* what : {"nets", "losses", "samplers", "metrics", "datasets", "optimizers",
                           "schedules", "presets"}) {
    const Outcome text = run("dmltrain", {"--list", what});
    CHECK(text.status == 0);
    const Outcome json = run("dmltrain", {"--list", what, "--json"});
    CHECK_FALSE(nlohmann::json::parse(json.out).empty());
  }
  const Outcome topic = run("dmltrain", {"--help", "loss=group"});
  CHECK(topic.status == 0);
  for (const char* part : {"temperature", "24", "replicator", "Elezi"})
    CHECK_MESSAGE(topic.out.find(part) != std::string::npos, part);
  const Outcome groups = run("dmltrain", {"--help", "groups"});
  CHECK(groups.status == 0);
  for (const char* part : {"groups.NAME.KEY", "match", "frozen_epochs"})
    CHECK_MESSAGE(groups.out.find(part) != std::string::npos, part);
}

TEST_CASE("messages: a precision that is not there is refused with what to do") {
  const TempFolder folder;
  const auto refused = [&](const std::string& precision, int status,
                           const std::vector<std::string>& parts) {
    check_message("dmltrain", tiny_training(folder / "run", {"--precision", precision}), status,
                  parts);
  };
  refused("tf32", 4, {"--precision tf32 is arithmetic of NVIDIA GPUs", "computes on cpu", "fp32"});
  refused("fp16", 2, {"--precision fp16 is not taken", "loss scaling", "--precision bf16"});
  if (!dml::Device::open("cpu").computes_bf16())
    refused("bf16", 4, {"--precision bf16 needs a GPU", "AVX512-BF16", "--precision fp32"});
  refused("fp64", 2, {"precision: ", "fp64", "fp32"});
  CHECK_FALSE(fs::exists(folder / "run"));
  CHECK(
      run("dmltrain", tiny_training(folder / "run", {"--precision", "fp32", "--dry-run"})).status ==
      0);
}

TEST_CASE("dmltrain: a dry run on the built-in pictures draws none of them") {
  const TempFolder folder;
  const Outcome outcome =
      run("dmltrain", {"--net", "resnet18", "--loss", "group", "--dataset", "shapes", "--set",
                       "dataset.classes=30", "--data-dir", folder.path().string(), "--image-size",
                       "32", "--dry-run", "--device", "cpu"});
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(outcome.out.find("nothing was written") != std::string::npos);
  CHECK(outcome.err.find("drawing") == std::string::npos);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("dmltrain: a dry run of every preset needs no data and writes nothing") {
  const TempFolder folder;
  const auto presets = nlohmann::json::parse(run("dmltrain", {"--list", "presets", "--json"}).out);
  for (const auto& preset : presets["presets"]) {
    const std::string name = preset["name"];
    const Outcome printed =
        run("dmltrain", {"--preset", name, "--net", "resnet18", "--print-config"});
    CHECK_MESSAGE(printed.status == 0, name, ": ", printed.err);
    // One of each system: published sizes take minutes on a processor; what the presets say of
    // loss, sampler and labels is the same with a small net.
    if (!name.ends_with("/cub200") && name.rfind("de", 0) != 0) continue;  // demo, defaults
    const Outcome outcome =
        run("dmltrain", {"--preset", name, "--net", "resnet18", "--set", "net.last_layer=layer1",
                         "--image-size", "32", "--dry-run", "--data-dir", folder.path().string(),
                         "-o", (folder / "run").string(), "--device", "cpu"});
    CHECK_MESSAGE(outcome.status == 0, name, ": ", outcome.err);
    CHECK(outcome.out.find("nothing was written") != std::string::npos);
  }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("dmltrain: the published presets hold the published numbers") {
  const auto value = [](const std::string& preset, const std::string& line) {
    const Outcome outcome = run("dmltrain", {"--preset", preset, "--print-config"});
    return outcome.out.find("\n" + line) != std::string::npos;
  };
  CHECK(value("group-loss/cub200", "lr = 0.0001563663718906821 "));
  CHECK(value("group-loss/cub200", "weight_decay = 6.059722614369727e-06 "));
  CHECK(value("group-loss/cub200", "temperature = 24.0 "));
  CHECK(value("group-loss/cars196", "temperature = 79.0 "));
  CHECK(value("group-loss/cars196", "anchors = 3 "));
  CHECK(value("group-loss/sop", "weight_decay = 5.2724883734490575e-12 "));
  CHECK(value("group-loss/sop", "classes = 10 "));
  CHECK(value("group-loss/cub200-finetune", "eps = 0.01 "));
}
