#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// On the reference backend, which takes bf16 on every processor.
std::vector<std::string> training(const fs::path& out, std::vector<std::string> more) {
  for (const char* word : {"--device", "reference", "--set", "net.last_layer=layer1",
                           "--batch-size", "4", "--images-per-class", "2", "--eval-every", "0"})
    more.emplace_back(word);
  return tiny_training(out, more);
}

std::vector<double> losses_of(const fs::path& run) {
  std::vector<double> losses;
  for (const std::string& line : lines_of(run / "metrics.jsonl")) {
    const auto event = nlohmann::json::parse(line);
    if (event["event"] == "step") losses.push_back(event["loss"]);
  }
  return losses;
}

}  // namespace

TEST_CASE("dmltrain: bf16 trains near fp32, and a run that is taken up ends with the same bytes") {
  const TempFolder folder;
  const Outcome plain = run("dmltrain", training(folder / "fp32", {"--steps", "4"}));
  REQUIRE_MESSAGE(plain.status == 0, plain.err);
  const Outcome half =
      run("dmltrain", training(folder / "bf16", {"--precision", "bf16", "--steps", "4"}));
  REQUIRE_MESSAGE(half.status == 0, half.err);

  const std::vector<double> exact = losses_of(folder / "fp32"),
                            rounded = losses_of(folder / "bf16");
  REQUIRE(exact.size() == 4);
  REQUIRE(rounded.size() == exact.size());
  CHECK(rounded.front() != exact.front());
  CHECK(std::abs(rounded.front() - exact.front()) < 0.01 * exact.front());
  CHECK(std::abs(rounded.back() - exact.back()) < 0.1 * exact.back());
  // What is kept is f32, and does not only hold numbers of bf16.
  const dml::SafeTensors kept =
      dml::read_safetensors(folder / "bf16" / "checkpoints" / "last.safetensors");
  const dml::Tensor weight = kept.at("conv1.weight");
  REQUIRE(weight.dtype() == dml::DType::f32);
  std::int64_t longer = 0;
  for (const float value : weight.data<float>())
    longer += static_cast<float>(dml::BFloat16(value)) != value ? 1 : 0;
  CHECK(longer > weight.size() / 2);

  const Outcome first =
      run("dmltrain", training(folder / "two", {"--precision", "bf16", "--steps", "2"}));
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const Outcome rest = run(
      "dmltrain", training(folder / "two", {"--precision", "bf16", "--steps", "4", "--resume"}));
  REQUIRE_MESSAGE(rest.status == 0, rest.err);
  CHECK(last_weights(folder / "two") == last_weights(folder / "bf16"));
}
