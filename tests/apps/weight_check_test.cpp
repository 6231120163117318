#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;

TEST_CASE("convert_weights --check: features of a fixed picture are stored and compared") {
  const TempFolder folder;
  REQUIRE(run("dmltrain", tiny_training(folder / "run", {"--epochs", "1"})).status == 0);
  const std::string trained = (folder / "run/checkpoints/last.safetensors").string(),
                    first = (folder / "first.safetensors").string(),
                    second = (folder / "second.pth").string();
  const auto check = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--check", "--json"});
    const Outcome outcome = run("convert_weights", arguments);
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    return nlohmann::json::parse(outcome.out)["check"];
  };
  CHECK_FALSE(check({trained, "--net", "resnet18", "-o", first})["compared"].get<bool>());
  const auto again = check({first, "--to", "pth", "-o", second});
  CHECK(again["compared"].get<bool>());
  CHECK(again["difference"].get<double>() < 1e-5);
  // The same weights by way of PyTorch's format give the same features.
  const auto back =
      check({second, "--net", "resnet18", "-o", (folder / "back.safetensors").string()});
  CHECK_FALSE(back["compared"].get<bool>());
  dml::SafeTensors file = dml::read_safetensors(first);
  CHECK(dml::read_safetensors(folder / "back.safetensors").text("check.features") ==
        file.text("check.features"));

  for (auto& [name, tensor] : file.tensors)
    if (name == "layer1.0.conv1.weight")
      for (float& value : tensor.data<float>()) value = -value;
  dml::write_safetensors(folder / "changed.safetensors", file);
  const Outcome changed =
      run("convert_weights", {(folder / "changed.safetensors").string(), "--check", "--list"});
  CHECK(changed.status == 3);
  CHECK(changed.err.find("differ from those stored with the weights") != std::string::npos);
  CHECK(run("convert_weights", {second, "--check", "--list"}).status == 2);  // which net?
}
