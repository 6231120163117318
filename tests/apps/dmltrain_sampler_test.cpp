#include <doctest/doctest.h>

#include "engine/file.hpp"
#include "tests/apps/process.hpp"

using namespace dml::test;
namespace fs = std::filesystem;

namespace {

/// A tiny training whose batches are chosen by embeddings.
std::vector<std::string> by_embeddings(const fs::path& out, const std::string& epochs,
                                       const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = tiny_training(out, {"--epochs", epochs});
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
    if (arguments[i] == "--sampler") arguments[i + 1] = "greedy_coreset";
  arguments.insert(arguments.end(), {"--set", "sampler.big_batch=24"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("dmltrain: a run whose batches depend on embeddings goes on with the same bits") {
  for (const std::string update : {"batches", "epoch"}) {
    CAPTURE(update);
    const TempFolder folder;
    const std::vector<std::string> how = {"--set", "sampler.update=" + update};
    const Outcome whole = run("dmltrain", by_embeddings(folder / "whole", "3", how));
    REQUIRE_MESSAGE(whole.status == 0, whole.err);
    CHECK(whole.err.find("are not visited") != std::string::npos);
    REQUIRE(run("dmltrain", by_embeddings(folder / "parts", "1", how)).status == 0);
    const Outcome rest = run("dmltrain", {"--resume", "-o", (folder / "parts").string(), "--epochs",
                                          "3", "--threads", "1", "--device", "cpu"});
    REQUIRE_MESSAGE(rest.status == 0, rest.err);
    const auto weights = [&](const char* name) {
      return dml::read_file(folder / name / "checkpoints/last.safetensors");
    };
    CHECK((weights("whole") == weights("parts")));
  }
}

TEST_CASE("dmltrain: a sampler of super-classes passes a dry run without data") {
  const TempFolder folder;
  const Outcome outcome =
      run("dmltrain",
          {"--net", "resnet18", "--set", "net.last_layer=layer1", "--loss", "softmax", "--dataset",
           "sop", "--data-dir", (folder / "none").string(), "--sampler", "hierarchical",
           "--batch-size", "16", "--image-size", "32", "--dry-run", "--device", "cpu"});
  CHECK_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(outcome.out.find("264 steps an epoch") != std::string::npos);  // 66 pairs, 4 of each
}
